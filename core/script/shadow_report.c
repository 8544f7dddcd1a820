/* What was found, for the operator: numbers for each rule, and for each rule its newest differences
 * with the input that made them. A sample is text from the moment it is taken, because everything
 * it speaks of is gone in the next turn. */
#include "base/json.h"
#include "model/field.h"
#include "script/shadow_inner.h"

#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX 2048 /* bytes of one payload in a sample */

static const char *const names[TG_LIKENESSES] = {"same", "only_live", "only_candidate",
                                                 "different"};

static void write_event(struct tg_buf *out, const char *side, const struct tg_heard *heard,
                        const struct tg_buf *text)
{
    tg_json_key(out, side);
    if (!heard) {
        tg_json_text(out, NULL);
        return;
    }
    tg_json_open(out, '{');
    tg_json_member_text(out, "type", heard->type);
    tg_json_member_text(out, "lane", heard->lane == TG_LANE_LATEST ? "latest" : "ordered");
    if (heard->len <= PAYLOAD_MAX) {
        tg_json_key(out, "payload");
        tg_json_raw(out, text->data + heard->text, heard->len);
    } else {
        tg_json_member_u64(out, "payload_bytes", heard->len);
    }
    tg_json_close(out, '}');
}

/* What of an event differs, in one word. */
static const char *what_differs(const struct tg_shadow *shadow, const struct tg_heard *live,
                                const struct tg_heard *candidate)
{
    if (strcmp(live->type, candidate->type) != 0) return "type";
    if (live->lane != candidate->lane) return "lane";
    bool same = live->len == candidate->len &&
                !memcmp(shadow->live.text.data + live->text,
                        shadow->candidate.text.data + candidate->text, live->len);
    return same ? "audience" : "payload";
}

/* The input: [was, now] of each account field that changed, the moments, and what was told. */
static void write_input(struct tg_buf *out, const struct tg_shadow *shadow,
                        const struct tg_account *account, const char *told)
{
    const struct tg_entity *entity = &tg_account_entity;
    bool ids_as_text = shadow->engine.ids_as_text;
    tg_json_open(out, '{');
    tg_json_key(out, "changed");
    tg_json_open(out, '{');
    for (int i = 0; !told && i < entity->count; i++) {
        if (!(account->changed & UINT64_C(1) << i)) continue;
        tg_json_key(out, entity->fields[i].name);
        tg_json_open(out, '[');
        tg_field_write(out, entity, &entity->fields[i], &account->was, ids_as_text);
        tg_field_write(out, entity, &entity->fields[i], &account->now, ids_as_text);
        tg_json_close(out, ']');
    }
    tg_json_close(out, '}');
    tg_json_key(out, "moments");
    tg_json_open(out, '[');
    for (uint32_t i = 0; !told && i < account->moments_count && i < 8; i++)
        tg_json_text(out, tg_on_name(account->moments[i].kind));
    tg_json_close(out, ']');
    if (told) tg_json_member_text(out, "told", told);
    tg_json_close(out, '}');
}

void tg_shadow_sample(struct tg_shadow *shadow, enum tg_likeness likeness,
                      const struct tg_account *account, const struct tg_heard *live,
                      const struct tg_heard *candidate, const char *told)
{
    struct tg_shadow_row *row = &shadow->rows[live ? live->row : candidate->row];
    struct tg_buf out = {0};
    tg_json_open(&out, '{');
    tg_json_member_time(&out, "time", shadow->clock.wall);
    tg_json_member_text(&out, "account", account->id);
    tg_json_member_text(&out, "kind", names[likeness]);
    if (live && candidate) tg_json_member_text(&out, "what", what_differs(shadow, live, candidate));
    write_event(&out, "live", live, &shadow->live.text);
    write_event(&out, "candidate", candidate, &shadow->candidate.text);
    tg_json_key(&out, "input");
    write_input(&out, shadow, account, told);
    tg_json_close(&out, '}');
    char *text = tg_buf_take(&out);
    if (!text) {
        tg_buf_fini(&out);
        return;
    }
    char **at = &row->samples[row->sampled++ % TG_SHADOW_SAMPLES];
    free(*at);
    *at = text;
}

void tg_shadow_status(const struct tg_shadow *shadow, struct tg_candidate_status *out)
{
    *out = (struct tg_candidate_status){
        .name = shadow->generation->name,
        .version = shadow->generation->version,
        .started_wall_ms = shadow->started_wall_ms,
        .followed = shadow->followed,
        .left_out = shadow->left_out,
        .spent_us = shadow->spent_us,
    };
    for (uint32_t i = 0; i < shadow->rows_count; i++) {
        const struct tg_shadow_row *row = &shadow->rows[i];
        out->same += row->counts[TG_LIKE_SAME];
        for (int k = TG_LIKE_SAME + 1; k < TG_LIKENESSES; k++)
            out->differences += row->counts[k];
    }
    for (uint32_t i = 0; i < shadow->generation->rules_count; i++)
        out->faults += (uint64_t)shadow->generation->work.tallies[i].faults;
}

static void write_row(struct tg_buf *out, const struct tg_shadow *shadow,
                      const struct tg_shadow_row *row)
{
    tg_json_open(out, '{');
    tg_json_member_text(out, "name", row->name);
    tg_json_member_text(out, "in",
                        row->live < 0        ? "candidate"
                        : row->candidate < 0 ? "live"
                                             : "both");
    for (int k = 0; k < TG_LIKENESSES; k++)
        tg_json_member_u64(out, names[k], row->counts[k]);
    if (row->candidate >= 0) {
        const struct tg_rule *rule = &shadow->generation->rules[row->candidate];
        const struct tgl_tally *tally = &shadow->generation->work.tallies[row->candidate];
        tg_json_member_u64(out, "calls", (uint64_t)tally->calls);
        tg_json_member_u64(out, "faults", (uint64_t)tally->faults);
        tg_json_member_bool(out, "muted", tally->muted);
        tg_json_member_text(out, "last_fault", *rule->last_fault ? rule->last_fault : NULL);
    }
    tg_json_key(out, "samples");
    tg_json_open(out, '[');
    uint32_t from = row->sampled > TG_SHADOW_SAMPLES ? row->sampled - TG_SHADOW_SAMPLES : 0;
    for (uint32_t i = from; i < row->sampled; i++) {
        const char *sample = row->samples[i % TG_SHADOW_SAMPLES];
        tg_json_raw(out, sample, strlen(sample));
    }
    tg_json_close(out, ']');
    tg_json_close(out, '}');
}

void tg_shadow_report(const struct tg_shadow *shadow, const struct tg_generation *live,
                      struct tg_buf *out)
{
    struct tg_candidate_status status;
    tg_shadow_status(shadow, &status);
    tg_json_open(out, '{');
    tg_json_member_text(out, "name", status.name);
    tg_json_member_text(out, "version", status.version);
    tg_json_key(out, "paths");
    tg_json_open(out, '[');
    for (int i = 0; i < shadow->options.paths_count; i++)
        tg_json_text(out, shadow->paths[i]);
    tg_json_close(out, ']');
    tg_json_member_time(out, "started", status.started_wall_ms);
    tg_json_member_time(out, "compared_since", shadow->faced_wall_ms);
    tg_json_member_u64(out, "live_generation", live->number);
    tg_json_member_text(out, "live_version", live->version);
    tg_json_member_u64(out, "accounts_followed", status.followed);
    tg_json_member_u64(out, "accounts_left_out", status.left_out);
    tg_json_member_u64(out, "runs", shadow->runs);
    tg_json_member_u64(out, "milliseconds_spent", status.spent_us / 1000);
    tg_json_member_u64(out, "milliseconds_per_second", (uint64_t)shadow->options.ms_per_second);
    tg_json_member_u64(out, "memory_bytes", (uint64_t)shadow->generation->vm.used);
    tg_json_member_u64(out, "same", status.same);
    tg_json_member_u64(out, "differences", status.differences);
    tg_json_member_u64(out, "faults", status.faults);
    tg_json_key(out, "rules");
    tg_json_open(out, '[');
    for (uint32_t i = 0; i < shadow->rows_count; i++)
        write_row(out, shadow, &shadow->rows[i]);
    tg_json_close(out, ']');
    tg_json_close(out, '}');
}
