Feature: Telemetry of the proxy beside the agents

  Background:
    Given a file "logs/usage.jsonl" with
      """
      {"ts": "2026-11-22T08:00:00Z", "rid": "F-1", "lane": "zai", "model": "glm-4.6", "status": 200, "input_tokens": 900, "output_tokens": 100, "latency_ms": 300}
      {"ts": "2026-11-22T08:00:01Z", "rid": "F-1", "lane": "base", "model": "claude-sonnet-4-5", "status": 200, "input_tokens": 500, "output_tokens": 50, "latency_ms": 400}
      {"ts": "2026-11-22T08:00:02Z", "rid": "F-2", "lane": "base", "model": "claude-sonnet-4-5", "status": 500, "input_tokens": 10, "output_tokens": 0, "latency_ms": 500}
      {"ts": "2026-11-22T08:00:03Z", "rid": "F-3", "lane": "zai", "model": "glm-4.6", "status": 200, "input_tokens": 20, "output_tokens": 5, "latency_ms": 100}
      """

  Scenario: A finished log is taken in
    When the operator runs `tracker ingest proxy-telemetry --window W0-CHN --file logs/usage.jsonl`
    Then it says "stored proxy telemetry for W0-CHN (events=4, new=4, duplicates=0, rejected=0, routed=50%)"
    And the journal proxy_telemetry holds 4 records

  Scenario: The same log again adds nothing
    When the operator runs `tracker ingest proxy-telemetry --window W0-CHN --file logs/usage.jsonl`
    And the operator runs `tracker ingest proxy-telemetry --window W0-CHN --file logs/usage.jsonl`
    Then it says "(events=4, new=0, duplicates=4, rejected=0, routed=50%)"
    And the journal proxy_telemetry holds 4 records

  Scenario: A line that cannot be read is kept aside
    When the operator runs `tracker ingest proxy-telemetry --window W0-CHN --stdin` with
      """
      this is no JSON
      """
    Then it says "rejected=1"
    And the journal proxy_telemetry.rejected holds 1 record

  Scenario: The block shows share, latency and errors
    When the operator runs `tracker ingest proxy-telemetry --window W0-CHN --file logs/usage.jsonl`
    And the operator runs `tracker preview --window W0-CHN`
    Then it says "  - routed=50% (events=4), latency=350 ms p50 / 485 ms p95, errors=25%"

  Scenario: What routing costs per feature
    When the operator runs `tracker ingest proxy-telemetry --window W0-CHN --file logs/usage.jsonl`
    And the operator runs `tracker cost-compare --window W0-CHN`
    Then it says
      """
      rid,baseline_tokens,glm_tokens,delta_glm_minus_base
      F-1,550,1000,450
      F-3,0,25,25
      F-2,10,0,-10
      # totals baseline=560 glm=1025 glm_share=64.7%
      """
