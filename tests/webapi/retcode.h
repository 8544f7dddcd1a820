/* The return codes of the Web API and their texts. */
#pragma once

enum {
    MT_OK = 0,
    MT_PARAMS = 3,
    MT_PERMISSIONS = 8,
    MT_NOT_FOUND = 13,
    MT_PARTIAL = 14,
    MT_INVALID_TERMINAL = 1000,
    MT_INVALID_ACCOUNT = 1001,
    MT_OLD_CLIENT = 1010,
    MT_NOT_IMPLEMENTED = 12000,
    MT_NOT_SUPPORTED = 12002,
};

/* The text of a code; "Unknown error" for one that is not in the documentation's list. */
const char *mt_retcode_text(int code);
