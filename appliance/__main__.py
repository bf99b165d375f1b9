"""`python -m appliance` is `tidegate`."""

from appliance.cli.app import main

main()
