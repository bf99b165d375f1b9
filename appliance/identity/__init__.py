"""Who is there: principals, how clients prove who they are, and how the gateway proves itself to a cluster.

Sans-I/O: bytes, the time (Unix seconds) and randomness are handed in; nothing here opens or waits. What takes long goes
out as a value. The parts and their callers:

 - `conversation`: the server's side of SASL on one client connection. The shell hands in whole request bodies and does
   what each returned `steps` value says: send, run in a thread, fetch a key set, note who came in or why not.
 - `mechanisms`: PLAIN, SCRAM, OAUTHBEARER, one file each, behind one small protocol.
 - `policy`: what holds at a listener now (accounts, token rules, revocations), an immutable value made from resources;
   `policy.why_invalid` asks the same of a connection that stands.
 - `certificate`: the principal of a client's TLS certificate.
 - `throttle`, `keys`: the two things with a memory, shared by all conversations of a process.
 - `upstream`: the client's side, towards the clusters.
 - `authority`: certificates for trying things out and for drills; its keys are OpenSSL's, which takes no randomness.

Reasons of failures are for the audit trail and never hold a secret; what a client is told does not tell an unknown name
from a wrong password. Whatever bytes come, the only errors that leave this package are those of `errors`.
"""
