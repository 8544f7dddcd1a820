/* What the gateway tells its recorder. Recording never stops a start and never stops a stream: what
 * goes wrong with it is told by the log, by /health and by the metrics. */
#include "app/gateway_inner.h"
#include "base/json.h"
#include "base/rand.h"

#include <string.h>

int tg_recording_open(struct tg_gateway *gateway, struct tg_err *err)
{
    static const char *const everything[] = {"*"};
    const struct tg_config *config = gateway->config;
    if (!config->record.path) return 0;
    int count = config->record.accounts_count;
    struct tg_recorder_options options = {
        .accounts = count ? (const char *const *)config->record.accounts : everything,
        .accounts_count = count ? count : 1,
        .flush_ms = config->record.flush_seconds * 1000,
        .buffer_bytes = (int64_t)config->record.buffer_mb << 20,
        .retry_ms = config->record.retry_seconds * 1000,
        .press = {.folder = config->record.path,
                  .file_bytes = (int64_t)config->record.file_mb << 20,
                  .total_bytes = (int64_t)config->record.total_mb << 20,
                  .min_free_bytes = (int64_t)config->record.min_free_mb << 20,
                  .facts = {.version = TIDEGATE_VERSION,
                            .ids_as_text = config->protocol.ids_as_text}},
    };
    tg_random_bytes(&options.press.facts.run, sizeof options.press.facts.run);
    return tg_recorder_open(&gateway->loop, gateway->clock, &options, &gateway->recorder, err);
}

void tg_recording_note(struct tg_gateway *gateway, enum tg_note_kind kind, struct tg_watch *watch,
                       const char *text)
{
    if (!gateway->recorder) return;
    struct tg_note note = {
        .kind = (int)kind,
        .wall_ms = gateway->turns ? gateway->turn.wall : tg_wall_ms(gateway->clock),
        .mono_ms = gateway->turns ? gateway->turn.mono : tg_mono_ms(gateway->clock),
        .account = watch ? watch->account->id : NULL,
        .text = text,
    };
    if (kind == TG_NOTE_POLL) {
        note.wall_ms = watch->account->good_wall_ms;
        note.mono_ms = watch->account->good_mono_ms;
        note.records = &watch->poll.records;
        note.suspect_polls = watch->upstream->account.suspect_polls;
        note.interval_ms = (int)watch->upstream->interval_ms;
    }
    tg_recorder_note(gateway->recorder, &note);
}

bool tg_recording_ill(const struct tg_gateway *gateway)
{
    struct tg_recorder_status status;
    if (!gateway->recorder) return false;
    tg_recorder_status(gateway->recorder, &status);
    return *status.fault != '\0';
}

void tg_recording_health(const struct tg_gateway *gateway, struct tg_buf *out)
{
    struct tg_recorder_status status;
    tg_json_key(out, "recording");
    if (!gateway->recorder) {
        tg_json_text(out, NULL);
        return;
    }
    tg_recorder_status(gateway->recorder, &status);
    tg_json_open(out, '{');
    tg_json_member_bool(out, "paused", *status.fault != '\0');
    tg_json_key(out, "reason");
    tg_json_text(out, *status.fault ? status.fault : NULL);
    tg_json_close(out, '}');
}

void tg_recording_metrics(const struct tg_gateway *gateway, struct tg_buf *out)
{
    struct tg_recorder_status status;
    if (!gateway->recorder) return;
    tg_recorder_status(gateway->recorder, &status);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        {"tidegate_record_paused", "gauge", "1 while nothing is recorded because of a fault",
         *status.fault != '\0'},
        {"tidegate_record_polls_total", "counter", "polls taken for the recording", status.polls},
        {"tidegate_record_lost_total", "counter", "polls that are missing in the recording",
         status.lost},
        {"tidegate_record_bytes_total", "counter", "bytes written to tapes", status.bytes},
        {"tidegate_record_tapes_total", "counter", "tapes begun", status.tapes},
        {"tidegate_record_faults_total", "counter", "faults that made recording pause",
         status.faults},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tg_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", rows[i].name, rows[i].help,
                      rows[i].name, rows[i].type, rows[i].name, (unsigned long long)rows[i].value);
}
