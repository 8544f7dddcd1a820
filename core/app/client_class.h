/* The client class: what of a client the rules' filters may look at. */
#pragma once

#include "script/script.h"

/* Joins the class of this subject, these claims (JSON text of an object) and this query. The claims
 * that differ from token to token of one subject (exp, iat, nbf, jti) are left out, or every client
 * would be a class of its own and each filter would run for each. Returns 0 without memory. */
uint32_t tg_client_class(struct tg_script *script, const char *subject, const char *claims,
                         const char *query);
