/* The Web API's documents: rows of each kind to the model's records. */
#pragma once

#include "model/record.h"
#include "source/webapi_row.h"
#include "source/webapi_zone.h"

/* All readers: 0; -TG_EINVAL, the row is not what it should be, and `login` says whose it is when
 * that could be told (0: it could not); -TG_ENOMEM. Records are blanked first. */

int tg_webapi_read_position(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                            const struct tg_webapi_row *json, uint64_t *login,
                            struct tgl_position *position);

int tg_webapi_read_deal(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                        const struct tg_webapi_row *json, uint64_t *login, struct tgl_deal *deal);

int tg_webapi_read_order(struct tg_webapi_rows *rows, const struct tg_webapi_zone *zone,
                         const struct tg_webapi_row *json, uint64_t *login,
                         struct tgl_order *order);

/* The trade state of an account. */
struct tg_webapi_account {
    struct tgl_account account;
    uint64_t fields; /* its bits that the row gave */
    bool moving;     /* floating profit or swap: there are open positions */
};

int tg_webapi_read_account(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                           uint64_t *login, struct tg_webapi_account *account);

/* A client's record: what the trade state leaves out, and all there is of a dormant account. */
struct tg_webapi_user {
    char name[64], group[128];
    int32_t leverage;       /* 0: not told */
    int32_t trade_allowed;  /* 0, 1; -1: not told */
    double balance, credit; /* NaN: not told */
};

int tg_webapi_read_user(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                        uint64_t *login, struct tg_webapi_user *user);

/* A group's record. */
struct tg_webapi_group {
    char currency[16], company[64];
    int32_t currency_digits; /* -1: not told */
    int32_t margin_mode;
};

int tg_webapi_read_group(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                         struct tg_webapi_group *group);

/* Decimals of a symbol's prices, from its record; -TG_EINVAL when it does not say. */
int tg_webapi_read_symbol(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                          char *symbol, size_t size, int32_t *digits);

/* The server's clock, in seconds of server time, from a row with "Time"; -TG_EINVAL when it does
 * not say. */
int tg_webapi_read_time(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                        int64_t *server_s);

/* The same from a text as the raw protocol has it: "1572518788 2019.10.31 10:46:28". */
int tg_webapi_read_time_text(const char *text, size_t len, int64_t *server_s);

/* The offset from a TIME_GET record; -TG_EINVAL when it does not say, as one that observes summer
 * time and leaves out whether it is summer: an example of the documentation does. */
int tg_webapi_read_zone(struct tg_webapi_rows *rows, const struct tg_webapi_row *json,
                        int32_t *offset_s);
