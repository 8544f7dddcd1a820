"""Validates messages against a schema of `tidegate schema`, with a validator that is not ours.

    validate.py schema.json < messages       one JSON message a line; the name of its type's member is argv[2]

Prints a line for each fault and exits with 1 when there is one.
"""
import json
import sys

import jsonschema

document = json.load(open(sys.argv[1], encoding="utf-8"))
member = sys.argv[2] if len(sys.argv) > 2 else "type"
jsonschema.Draft202012Validator.check_schema(document)
formats = jsonschema.FormatChecker()
faults = count = 0
for line in sys.stdin:
    message = json.loads(line)
    count += 1
    # The definition of its own type says what is wrong; the document as a whole only that something is.
    schema = document["$defs"].get(message.get(member, message.get("type")))
    if schema is None:
        print("no schema for", line.strip())
        faults += 1
        continue
    for error in jsonschema.Draft202012Validator(schema, format_checker=formats).iter_errors(message):
        print("%s: %s: %s" % (message.get(member), error.json_path, error.message))
        faults += 1
    if not jsonschema.Draft202012Validator(document).is_valid(message):
        faults += 1
print("%d messages, %d faults" % (count, faults))
sys.exit(1 if faults else 0)
