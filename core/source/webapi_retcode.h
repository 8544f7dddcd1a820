/* Return codes of the Web API: what they are called, and what they mean for us. */
#pragma once

/* What a code asks of us. */
enum tg_webapi_class {
    TG_WEBAPI_DONE,    /* 0 */
    TG_WEBAPI_NO_DATA, /* well answered, and there is nothing: 1, 13, 5003 */
    TG_WEBAPI_RETRY,   /* the server or its links are ill */
    TG_WEBAPI_SLOW,    /* too frequent, too busy */
    TG_WEBAPI_MOVE,    /* not the main server: the next endpoint */
    TG_WEBAPI_REFUSED, /* credentials, permissions, configuration: no use in asking again soon */
    TG_WEBAPI_CLASSES,
};

/* Reads "0 Done", "13 Not found", "13". The number, or -1 when there is none. */
int tg_webapi_retcode(const char *text);

/* Codes that nobody has told us of count as RETRY. */
enum tg_webapi_class tg_webapi_classify(int retcode);

/* Upper-case letters and `_`, for logs and clients; "MT_RETCODE" when it is not known. Static. */
const char *tg_webapi_retcode_name(int retcode);

/* A sentence for operators; "" when there is none beyond the name. Static. */
const char *tg_webapi_retcode_hint(int retcode);
