/* What a bug report has to say: the version, and which libraries it runs on (not: was built with),
 * since those are shared and change under it. */
#include "app/command.h"

#include <cJSON.h>
#include <curl/curl.h>
#include <luajit.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>

static int run(const struct tg_command *command, const struct tg_args *args)
{
    (void)command;
    (void)args;
    (void)printf("tidegate %s\n", TIDEGATE_VERSION);
    (void)printf("%s, libuv %s, libcurl %s, cJSON %s, %s\n", LUAJIT_VERSION, uv_version_string(),
                 curl_version_info(CURLVERSION_NOW)->version, cJSON_Version(),
                 OpenSSL_version(OPENSSL_VERSION));
    return TG_EXIT_DONE;
}

const struct tg_command tg_command_version = {
    .name = "version",
    .operands = "",
    .summary = "Print the version and those of the libraries",
    .details = "",
    .options = (const struct tg_option[]){{.name = NULL}},
    .run = run,
};
