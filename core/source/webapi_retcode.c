/* The table of the Web API's documentation. Classes follow the price of a mistake: a broker bans
 * who keeps trying with refused credentials, so whatever could be one is REFUSED. */
#include "source/webapi_retcode.h"

#include <stddef.h>
#include <stdlib.h>

static const struct code {
    int code;
    enum tg_webapi_class class;
    const char *name, *hint;
} codes[] = {
    {0, TG_WEBAPI_DONE, "DONE", NULL},
    {1, TG_WEBAPI_NO_DATA, "NO_DATA", NULL},
    {2, TG_WEBAPI_RETRY, "COMMON_ERROR", NULL},
    {3, TG_WEBAPI_REFUSED, "BAD_PARAMETERS", "the server does not understand our request"},
    {4, TG_WEBAPI_RETRY, "BAD_DATA", NULL},
    {5, TG_WEBAPI_RETRY, "DISK_ERROR", NULL},
    {6, TG_WEBAPI_RETRY, "MEMORY_ERROR", NULL},
    {7, TG_WEBAPI_RETRY, "NETWORK_ERROR", "the access server has lost the trade server"},
    {8, TG_WEBAPI_REFUSED, "NO_PERMISSION", "the manager lacks a permission"},
    {9, TG_WEBAPI_RETRY, "TIMEOUT", NULL},
    {10, TG_WEBAPI_RETRY, "NO_CONNECTION", "the access server has lost the trade server"},
    {11, TG_WEBAPI_RETRY, "NO_SERVICE", NULL},
    {12, TG_WEBAPI_SLOW, "TOO_FREQUENT", "the server wants fewer requests"},
    {13, TG_WEBAPI_NO_DATA, "NOT_FOUND", NULL},
    {14, TG_WEBAPI_RETRY, "PARTIAL", "the answer is incomplete"},
    {15, TG_WEBAPI_RETRY, "SERVER_SHUTDOWN", "the server is shutting down"},
    {16, TG_WEBAPI_RETRY, "CANCELLED", NULL},
    {17, TG_WEBAPI_RETRY, "DUPLICATE", NULL},
    {1000, TG_WEBAPI_REFUSED, "INVALID_TYPE", NULL},
    {1001, TG_WEBAPI_REFUSED, "INVALID_ACCOUNT",
     "wrong login or password; the API password is a password of its own"},
    {1002, TG_WEBAPI_REFUSED, "ACCOUNT_DISABLED", "the manager account is disabled"},
    {1003, TG_WEBAPI_REFUSED, "EXTENDED_AUTH", "the manager needs extended authentication"},
    {1004, TG_WEBAPI_REFUSED, "CERTIFICATE_REQUIRED", NULL},
    {1005, TG_WEBAPI_REFUSED, "CERTIFICATE_INVALID", NULL},
    {1006, TG_WEBAPI_REFUSED, "CERTIFICATE_UNCONFIRMED", NULL},
    {1007, TG_WEBAPI_RETRY, "NOT_ACCESS_SERVER", "this is not an access server"},
    {1008, TG_WEBAPI_REFUSED, "SERVER_NOT_AUTHENTICATED",
     "the server did not prove that it knows our password"},
    {1009, TG_WEBAPI_RETRY, "UPDATE_ONLY", NULL},
    {1010, TG_WEBAPI_REFUSED, "CLIENT_OLD", "the server wants a newer version (source.version)"},
    {1011, TG_WEBAPI_REFUSED, "NO_MANAGER", "the login is not configured as a manager"},
    {1012, TG_WEBAPI_REFUSED, "ADDRESS_BLOCKED", "our address is not in the manager's list"},
    {1013, TG_WEBAPI_REFUSED, "GROUP_INVALID", NULL},
    {1014, TG_WEBAPI_RETRY, "CA_DISABLED", NULL},
    {1015, TG_WEBAPI_RETRY, "INVALID_SERVER_ID", NULL},
    {1016, TG_WEBAPI_RETRY, "INVALID_SERVER_ADDRESS", NULL},
    {1017, TG_WEBAPI_RETRY, "INVALID_SERVER_TYPE", NULL},
    {1018, TG_WEBAPI_SLOW, "SERVER_BUSY", "the server is too busy"},
    {1019, TG_WEBAPI_REFUSED, "SERVER_CERTIFICATE", NULL},
    {1020, TG_WEBAPI_REFUSED, "UNKNOWN_ACCOUNT", NULL},
    {1021, TG_WEBAPI_REFUSED, "SERVER_OLD", NULL},
    {1022, TG_WEBAPI_REFUSED, "LICENCE_LIMIT", NULL},
    {1023, TG_WEBAPI_REFUSED, "MOBILE_DISABLED", NULL},
    {1024, TG_WEBAPI_REFUSED, "MANAGER_TYPE", "this kind of manager may not connect"},
    {1025, TG_WEBAPI_REFUSED, "DEMO_DISABLED", NULL},
    {1026, TG_WEBAPI_REFUSED, "PASSWORD_EXPIRED", "the password must be changed first"},
    {1027, TG_WEBAPI_REFUSED, "OTP_INVALID", NULL},
    {3006, TG_WEBAPI_REFUSED, "INVALID_PASSWORD", NULL},
    {4001, TG_WEBAPI_RETRY, "TRADE_LIMIT", NULL},
    {5003, TG_WEBAPI_NO_DATA, "NO_DATA", NULL},
    {12000, TG_WEBAPI_REFUSED, "NOT_IMPLEMENTED", "the server does not know this command"},
    {12001, TG_WEBAPI_MOVE, "NOT_MAIN", "this is a backup server"},
    {12002, TG_WEBAPI_REFUSED, "NOT_SUPPORTED", "the server does not know this command"},
    {12003, TG_WEBAPI_RETRY, "DEADLOCK", NULL},
    {12004, TG_WEBAPI_RETRY, "LOCKED", NULL},
};

static const struct code *find(int retcode)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == retcode) return &codes[i];
    return NULL;
}

int tg_webapi_retcode(const char *text)
{
    char *end;
    if (*text < '0' || *text > '9') return -1;
    long code = strtol(text, &end, 10);
    return (*end == '\0' || *end == ' ') && code <= 1000000 ? (int)code : -1;
}

enum tg_webapi_class tg_webapi_classify(int retcode)
{
    const struct code *code = find(retcode);
    return code ? code->class : TG_WEBAPI_RETRY;
}

const char *tg_webapi_retcode_name(int retcode)
{
    const struct code *code = find(retcode);
    return code ? code->name : "MT_RETCODE";
}

const char *tg_webapi_retcode_hint(int retcode)
{
    const struct code *code = find(retcode);
    return code && code->hint ? code->hint : "";
}
