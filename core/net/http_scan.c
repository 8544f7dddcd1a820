/* Parsers that forgive differ in how they forgive, and two that differ in a row are a hole: what
 * one reads as a header the other reads as a body. So nothing is forgiven here, except empty lines
 * before the request, which RFC 9112 §2.2 wants ignored. */
#include "net/http_scan.h"

enum state { START, START_LF, REQUEST_LINE, LINE_LF, LINE_START, NAME, VALUE, END_LF };

static int stop(struct tg_http_scan *scan, const char *fault)
{
    scan->fault = fault;
    return scan->state;
}

static int in_request_line(struct tg_http_scan *scan, unsigned char c)
{
    if (c == ' ' && ++scan->blanks > 2) return stop(scan, "the request line has too many blanks");
    if (c != '\r') return c == '\t' ? stop(scan, "a tab in the request line") : REQUEST_LINE;
    return scan->blanks == 2 ? LINE_LF : stop(scan, "the request line is incomplete");
}

static int in_name(struct tg_http_scan *scan, unsigned char c)
{
    if (c == ':') return VALUE;
    if (c == '\r') return stop(scan, "a header line without a colon");
    if (c == ' ' || c == '\t') return stop(scan, "a blank in a header name");
    return NAME;
}

static int step(struct tg_http_scan *scan, unsigned char c)
{
    if (scan->state == START_LF || scan->state == LINE_LF || scan->state == END_LF) {
        if (c != '\n') return stop(scan, "a carriage return without a line feed");
        if (scan->state == END_LF) scan->complete = true;
        return scan->state == START_LF ? START : LINE_START;
    }
    if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
        return stop(scan, c == '\n' ? "a line feed without a carriage return" : "a control byte");
    switch ((enum state)scan->state) {
    case START:
        if (c == '\r') return START_LF;
        return c == ' ' || c == '\t' ? stop(scan, "a blank before the request") : REQUEST_LINE;
    case REQUEST_LINE: return in_request_line(scan, c);
    case LINE_START:
        if (c == '\r') return END_LF;
        if (c == ' ' || c == '\t') return stop(scan, "a folded header line");
        return c == ':' ? stop(scan, "a header without a name") : NAME;
    case NAME: return in_name(scan, c);
    default: return c == '\r' ? LINE_LF : VALUE;
    }
}

size_t tg_http_scan_feed(struct tg_http_scan *scan, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && !scan->complete && !scan->fault)
        scan->state = step(scan, (unsigned char)bytes[at++]);
    return at;
}
