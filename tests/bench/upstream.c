/* An upstream that costs next to nothing: one thread, epoll, answers made of a few pieces. It
 * speaks as the MT5 REST service (positions and info of any account) and as a terminal bridge
 * (/<account>/snapshot). Prints {"port":N}. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 4096
#define REQUEST 8192

struct peer {
    char text[REQUEST];
    size_t len;
};

static struct peer *peers[CONNECTIONS];
static unsigned long served;

static int positions_of(char *out, size_t size, const char *id, int len)
{
    return snprintf(
        out, size,
        "{\"success\":true,\"account_id\":\"%.*s\",\"timestamp\":\"2026-03-02T10:00:05Z\","
        "\"positions\":["
        "{\"ticket\":501,\"symbol\":\"EURUSD\",\"type\":\"buy\",\"volume\":1.00,\"open_price\":1."
        "08500,"
        "\"current_price\":%.5f,\"sl\":1.08,\"tp\":null,\"profit\":%.2f,\"swap\":-0.25,"
        "\"commission\":-3.5,"
        "\"magic\":7,\"comment\":\"\",\"open_time\":\"2026-03-02T09:00:00Z\"},"
        "{\"ticket\":502,\"symbol\":\"USDJPY\",\"type\":\"sell\",\"volume\":0.1,\"open_price\":150."
        "123,"
        "\"current_price\":150.1,\"sl\":0.0,\"tp\":149.5,\"profit\":0.25,\"swap\":0,\"commission\":"
        "null,"
        "\"magic\":0,\"comment\":\"\",\"open_time\":\"2026-03-02T09:00:00\"}],\"count\":2}",
        len, id, 1.085 + (double)(served % 100) / 1e5, (double)(served % 100));
}

static int info_of(char *out, size_t size, const char *id, int len)
{
    return snprintf(
        out, size,
        "{\"success\":true,\"account_id\":\"%.*s\",\"timestamp\":\"2026-03-02T10:00:05Z\",\"data\":"
        "{\"balance\":10000.00,\"equity\":%.2f,\"margin\":108.50,\"free_margin\":9941.75,"
        "\"margin_level\":9262.9,\"currency\":\"USD\",\"leverage\":100,\"profit\":50.25,\"credit\":"
        "0.0,"
        "\"positions_count\":2},\"cached\":false,\"cache_age_seconds\":0}",
        len, id, 10000 + (double)(served % 100));
}

static int row_of(char *out, size_t size, int ticket, const char *symbol, double price)
{
    return snprintf(
        out, size,
        "{\"ticket\":%d,\"time\":1772441000,\"time_msc\":1772441000123,\"time_update\":1772441000,"
        "\"time_update_msc\":1772441000123,\"type\":0,\"magic\":7,\"identifier\":%d,\"reason\":3,"
        "\"volume\":1.0,\"price_open\":1.085,\"sl\":1.08,\"tp\":0.0,\"price_current\":%.5f,"
        "\"swap\":-0.25,"
        "\"profit\":12.0,\"symbol\":\"%s\",\"comment\":\"\",\"external_id\":\"\"}",
        ticket, ticket, price, symbol);
}

static int snapshot_of(char *out, size_t size)
{
    int n = snprintf(
        out, size,
        "{\"connected\":true,\"server\":\"Demo\",\"time_utc_ms\":1772442060000,\"utc_offset_"
        "seconds\":7200,"
        "\"account\":{\"trade_mode\":0,\"leverage\":100,\"margin_mode\":2,\"currency_digits\":2,"
        "\"balance\":10000.0,\"credit\":0.0,\"profit\":12.0,\"equity\":%.2f,\"margin\":108.5,"
        "\"margin_free\":9903.25,\"margin_level\":9227.42,\"trade_allowed\":true,\"name\":\"J. "
        "Doe\","
        "\"server\":\"Demo\",\"currency\":\"USD\",\"company\":\"Broker\"},\"positions\":[",
        10000 + (double)(served % 100));
    n += row_of(out + n, size - (size_t)n, 501, "EURUSD", 1.085 + (double)(served % 100) / 1e5);
    out[n++] = ',';
    n += row_of(out + n, size - (size_t)n, 502, "USDJPY", 150.1);
    return n + snprintf(out + n, size - (size_t)n,
                        "],\"orders\":[],\"history_orders\":[],\"deals\":[],\"symbols\":{"
                        "\"EURUSD\":{\"digits\":5}},"
                        "\"errors\":[]}");
}

/* Answers one request that begins at `text`. */
static void answer(int fd, const char *text)
{
    char body[4096], out[4608];
    const char *account = strstr(text, "/account/"), *end = strchr(text, '\r');
    int len, n;
    served++;
    if (account && account < end) {
        const char *id = account + 9;
        int id_len = (int)strcspn(id, "/ ");
        len = id[id_len + 1] == 'p' ? positions_of(body, sizeof body, id, id_len)
                                    : info_of(body, sizeof body, id, id_len);
    } else {
        len = snapshot_of(body, sizeof body);
    }
    n = snprintf(
        out, sizeof out,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%.*s", len,
        len, body);
    for (int sent = 0; sent < n;) {
        ssize_t step = write(fd, out + sent, (size_t)(n - sent));
        if (step < 0 && errno != EAGAIN && errno != EINTR) return;
        if (step > 0) sent += (int)step;
    }
}

/* Reads what there is; false at the end of the connection. */
static bool serve(int fd)
{
    struct peer *peer = peers[fd];
    ssize_t n = read(fd, peer->text + peer->len, sizeof peer->text - 1 - peer->len);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    peer->len += (size_t)n;
    peer->text[peer->len] = '\0';
    for (char *end; (end = strstr(peer->text, "\r\n\r\n"));) {
        size_t used = (size_t)(end + 4 - peer->text);
        answer(fd, peer->text);
        memmove(peer->text, peer->text + used, peer->len - used + 1);
        peer->len -= used;
    }
    return peer->len + 1 < sizeof peer->text;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event events[256];
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
        poll = epoll_create1(0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return 1;
    (void)getsockname(listener, (struct sockaddr *)&address, &size);
    (void)printf("{\"port\":%d}\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    (void)epoll_ctl(poll, EPOLL_CTL_ADD, listener,
                    &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    for (;;) {
        int count = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                for (int client; (client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    if (client >= CONNECTIONS || !(peers[client] = calloc(1, sizeof **peers))) {
                        (void)close(client);
                        continue;
                    }
                    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    (void)epoll_ctl(poll, EPOLL_CTL_ADD, client,
                                    &(struct epoll_event){.events = EPOLLIN, .data.fd = client});
                }
            } else if (!serve(fd)) {
                free(peers[fd]);
                peers[fd] = NULL;
                (void)close(fd);
            }
        }
    }
}
