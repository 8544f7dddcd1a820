/* The ownership file: which subject may see which accounts. */
#pragma once

#include "base/err.h"
#include "base/json.h"

/* JSON: {"alice": ["demo-1", "demo-2"], "ops": "*"}. */
struct tg_owners;

/* Opens the file; the path is copied. Files over `max` bytes are refused. 0, -TG_EIO, -TG_EINVAL or
 * -TG_ENOMEM, the reason naming the file and, where it can, the subject. */
int tg_owners_new(const char *path, size_t max, struct tg_owners **out, struct tg_err *err);

void tg_owners_free(struct tg_owners *owners); /* NULL is allowed */

/* Reads the file again when stat(2) says that it is another one (device, inode, size, times), or
 * was so fresh at the last reading that a further edit could hide behind the same times. 1: a new
 * content is in force; 0: nothing changed; an error as of tg_owners_new: the old content stays in
 * force, and the same is told on every call until the file has changed to a good one. */
int tg_owners_refresh(struct tg_owners *owners, struct tg_err *err);

/* What the file grants the subject: the document and the index of the value in it, both valid until
 * the next refresh. Index 0: the file does not name the subject. */
uint32_t tg_owners_find(const struct tg_owners *owners, const char *subject,
                        const struct tg_json **json);
