"""The OpenAPI document is true: schemathesis asks what it allows and what it does not."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance, checks.response_headers_conformance, checks.negative_data_rejection,
    checks.unsupported_method,
]  # fmt: skip


def test_the_server_answers_as_its_document_says(colours):
    document = schemathesis.openapi.from_url(f"{colours.url}/openapi.json")
    document.config.generation.update(with_security_parameters=False)
    asked, statuses = set(), set()
    for operation in [result.ok() for result in document.get_all_operations()]:
        asked.add(operation.path)
        cases = operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @given(case=cases)
        @settings(max_examples=6, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def ask(case):
            answer = case.call(timeout=10)
            case.validate_response(answer, checks=CHECKS)
            statuses.add(answer.status_code)

        ask()
    assert asked == {"/predict", "/explain", "/feedback", "/labels", "/health", "/metrics", "/about"}
    assert {200, 422} <= statuses
