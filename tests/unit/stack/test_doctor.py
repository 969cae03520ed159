"""The doctor looks at this machine without changing it."""

from __future__ import annotations

from stack.doctor import examine


def test_every_finding_that_is_not_fine_says_its_cost_and_a_remedy() -> None:
    findings = {finding.name: finding for finding in examine()}
    assert {"postgres", "valkey", "sandbox", "git", "node", "php", "account", "ports"} <= findings.keys()
    for finding in findings.values():
        assert finding.verdict in ("ok", "limited", "missing")
        assert finding.found
        assert finding.verdict == "ok" or (finding.costs and finding.remedy)
