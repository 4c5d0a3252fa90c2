"""`autoscaler schema`: the policy's JSON Schema, for editors."""

from autoscaler.cli.output import print_json
from autoscaler.policyfile.schema import schema as policy_schema


def schema() -> None:
    """Print the JSON Schema of policy files, for editors with a YAML language server: completion, hover and checks as you type.

    Write it beside your policies, and name it in their first line:

    autoscaler schema > policies/policy.schema.json

    # yaml-language-server: $schema=policy.schema.json
    """
    print_json(policy_schema())
