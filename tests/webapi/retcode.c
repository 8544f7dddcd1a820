#include "retcode.h"

#include <stddef.h>

static const struct {
    int code;
    const char *text;
} texts[] = {
    {0, "Done"},
    {1, "OK, no data"},
    {2, "Common error"},
    {3, "Invalid parameters"},
    {4, "Invalid data"},
    {5, "Disk error"},
    {6, "Memory error"},
    {7, "Network error"},
    {8, "Not enough permissions"},
    {9, "Operation timeout"},
    {10, "No connection"},
    {11, "Service is not available"},
    {12, "Too frequent requests"},
    {13, "Not found"},
    {14, "Partial"},
    {15, "Server shutdown in progress"},
    {16, "Operation has been canceled"},
    {17, "Duplicate data"},
    {1000, "Invalid terminal type"},
    {1001, "Invalid account"},
    {1002, "Account disabled"},
    {1003, "Extended authorization is required"},
    {1004, "Certificate is required"},
    {1005, "Invalid certificate"},
    {1006, "Certificate is not confirmed"},
    {1007, "Attempt to connect to a non-access server"},
    {1008, "Server is not authenticated"},
    {1009, "Only updates are available"},
    {1010, "Old client"},
    {1011, "Manager account has no manager configuration"},
    {1012, "IP address is not allowed for the manager"},
    {1013, "Group is not initialized"},
    {1014, "Certificate generation is disabled"},
    {1015, "Invalid server identifier"},
    {1016, "IP address is not allowed for the server"},
    {1017, "Invalid server type"},
    {1018, "Server is busy"},
    {1019, "Invalid server certificate"},
    {1020, "Unknown account"},
    {1021, "Old server version"},
    {1022, "License limitation"},
    {1023, "Mobile terminals are not allowed"},
    {1024, "Connection type is not allowed for the manager"},
    {1025, "Demo accounts are disabled"},
    {1026, "Password must be changed"},
    {1027, "Invalid one-time password"},
    {3006, "Invalid password"},
    {4001, "Limit of orders or deals"},
    {5003, "No data"},
    {10004, "Requote"},
    {10009, "Request completed"},
    {10031, "No connection with the trade server"},
    {12000, "Not implemented"},
    {12001, "Not the main server"},
    {12002, "Not supported"},
    {12003, "Deadlock"},
    {12004, "Locked"},
};

const char *mt_retcode_text(int code)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].code == code) return texts[i].text;
    return "Unknown error";
}
