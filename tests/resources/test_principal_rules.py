"""Kafka's mapping rules give what Kafka gives: every expectation here was made with the SslPrincipalMapper of 4.3.1."""

from __future__ import annotations

import pytest

from appliance.resources.principal_rules import parse_rule, parse_rules, principal_name

DOCUMENTED = [
    "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/",
    "RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L",
    "RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L",
    "DEFAULT",
]
"""The rules in Kafka's documentation."""


@pytest.mark.parametrize(
    ("name", "principal"),
    [
        ("CN=serviceuser,OU=ServiceUsers,O=Unknown,L=Unknown,ST=Unknown,C=Unknown", "serviceuser"),
        ("CN=adminUser,OU=Admin,O=Unknown,L=Unknown,ST=Unknown,C=Unknown", "adminuser@admin"),
        ("CN=kafka1,OU=SME,O=mycp,L=Fulton,ST=MD,C=US", "kafka1@sme"),
        ("aaa", "aaa"),
    ],
)
def test_the_examples_of_kafkas_documentation(name: str, principal: str):
    assert principal_name(name, parse_rules(DOCUMENTED)) == principal


@pytest.mark.parametrize(
    ("rule", "name", "principal"),
    [
        ("RULE:(.*)/[$1]/U", "CN=größe", "[CN=GRÖSSE][]"),
        (r"RULE:^CN=([^,]*).*$/x\/$1\$1$9/L", "CN=Kafka1,OU=SME", "x/kafka1$1$9"),
        ("RULE:^CN=(?<who>[^,]+).*$/$1-/", "CN=kafka1,OU=SME", "kafka1-"),
        (r"RULE:.*?CN=(\w+).*/$1$0/", "CN=größe", "grCN=größe"),
        ("RULE:a*/b/", "aaa", "bb"),
        ("RULE:CN=/y/", "CN=kafka1", None),
        ("RULE:^CN=(.*?)$//", "CN=x", ""),
    ],
)
def test_patterns_replacements_and_cases(rule: str, name: str, principal: str | None):
    assert principal_name(name, parse_rules([rule])) == principal


def test_without_rules_the_name_stays():
    assert principal_name("CN=x,O=y", parse_rules([])) == "CN=x,O=y"


@pytest.mark.parametrize(
    "text", ["", "RULE:", "RULE:a/b", "RULE:a/b/X", "a/b/", "DEFAULT,DEFAULT", "RULE:a/b/L,DEFAULT"]
)
def test_what_is_no_rule(text: str):
    with pytest.raises(ValueError, match="expected DEFAULT or RULE:PATTERN/REPLACEMENT"):
        parse_rule(text)


def test_a_pattern_that_is_none_says_why():
    with pytest.raises(ValueError, match="found that missing \\), unterminated subpattern"):
        parse_rule("RULE:^CN=(x$/$1/")
