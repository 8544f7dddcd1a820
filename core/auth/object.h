/* A JSON object in which every member is named once. */
#pragma once

#include "base/json.h"

/* Parses `text` as tg_json_parse does (strictly, the text borrowed), and further refuses anything
 * but an object at the root and any object, at any depth, that names a member twice: two parsers
 * that disagree on which one counts would see two different tokens (RFC 7515, section 4; RFC 7519,
 * section 4). 0, -TG_EINVAL with a reason that quotes no content, or -TG_ENOMEM. */
int tg_object_parse(struct tg_json *json, const char *text, size_t len, struct tg_err *err);
