/* /tmp belongs to everybody, so the file is opened without following links and judged by what was
 * opened, never by its name (the name may mean another file a moment later). A new key is written
 * under a name of its own and linked into place: link(2) fails when the name is taken, so of two
 * first starts at once one wins and both read the same key. */
#include "app/dev_key.h"

#include "base/buf.h"
#include "base/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tg_dev_key_path(void)
{
    struct tg_buf path = {0};
    const char *folder = getenv("XDG_RUNTIME_DIR");
    if (!folder || *folder != '/') folder = "/tmp";
    tg_buf_printf(&path, "%s/tidegate-dev-%u.key", folder, (unsigned)getuid());
    return tg_buf_take(&path);
}

static int read_key(int fd, const char *path, char out[TG_DEV_KEY_LEN + 1], struct tg_err *err)
{
    struct stat info;
    char text[TG_DEV_KEY_LEN + 1];
    if (fstat(fd, &info)) return tg_fail(err, TG_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_uid != getuid() || (info.st_mode & 077))
        return tg_fail(err, TG_EAUTH,
                       "%s is not a file that you alone own and can read (mode 0600); remove it, "
                       "or use a configuration with a key of your own",
                       path);
    ssize_t n = read(fd, text, sizeof text);
    if (n != TG_DEV_KEY_LEN ||
        strspn((text[TG_DEV_KEY_LEN] = '\0', text), "0123456789abcdef") != TG_DEV_KEY_LEN)
        return tg_fail(err, TG_EIO, "%s holds no development key; remove it", path);
    memcpy(out, text, sizeof text);
    return 0;
}

static void make_key(char out[TG_DEV_KEY_LEN])
{
    unsigned char bytes[TG_DEV_KEY_LEN / 2];
    tg_random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[i * 2] = "0123456789abcdef"[bytes[i] >> 4];
        out[i * 2 + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
}

/* Creates the file with a new key, unless somebody was faster. */
static int create(const char *path, struct tg_err *err)
{
    char key[TG_DEV_KEY_LEN];
    struct tg_buf name = {0};
    int rc = 0;
    make_key(key);
    tg_buf_printf(&name, "%s.XXXXXX", path);
    if (name.failed) return tg_fail(err, TG_ENOMEM, "out of memory");
    int fd = mkostemp(name.data, O_CLOEXEC); /* mode 0600, never an existing file */
    if (fd < 0) {
        rc = tg_fail(err, TG_EIO, "cannot keep a development key at %s: %s", path, strerror(errno));
    } else {
        if (write(fd, key, sizeof key) != (ssize_t)sizeof key ||
            (link(name.data, path) && errno != EEXIST))
            rc = tg_fail(err, TG_EIO, "cannot write %s: %s", path, strerror(errno));
        (void)unlink(name.data);
        (void)close(fd);
    }
    tg_buf_fini(&name);
    return rc;
}

static int open_key(const char *path)
{
    return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int tg_dev_key_read(char out[TG_DEV_KEY_LEN + 1], struct tg_err *err)
{
    char *path = tg_dev_key_path();
    if (!path) return tg_fail(err, TG_ENOMEM, "out of memory");
    int rc = 0;
    int fd = open_key(path);
    if (fd < 0 && errno == ENOENT) {
        rc = create(path, err);
        if (!rc) fd = open_key(path);
    }
    if (!rc && fd < 0)
        rc = errno == ELOOP ? tg_fail(err, TG_EAUTH, "%s is a symbolic link; remove it", path)
                            : tg_fail(err, TG_EIO, "cannot read the development key %s: %s", path,
                                      strerror(errno));
    if (!rc) rc = read_key(fd, path, out, err);
    if (fd >= 0) (void)close(fd);
    free(path);
    return rc;
}
