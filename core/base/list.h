/* An intrusive doubly linked list: the node lives in what it links, so linking cannot fail. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A node, and the head of a ring of them. A node that is linked nowhere points at itself. */
struct tg_list {
    struct tg_list *next, *prev;
};

/* The struct of type `type` whose member `member` is the node `ptr`. */
#define tg_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void tg_list_init(struct tg_list *node)
{
    node->next = node->prev = node;
}

static inline bool tg_list_empty(const struct tg_list *head)
{
    return head->next == head;
}

/* Links `node` (linked nowhere) at the end of `head`. */
static inline void tg_list_append(struct tg_list *head, struct tg_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Unlinks `node`; harmless when it is linked nowhere. */
static inline void tg_list_remove(struct tg_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    tg_list_init(node);
}

/* The first node, or NULL when the list is empty. */
static inline struct tg_list *tg_list_first(struct tg_list *head)
{
    return tg_list_empty(head) ? NULL : head->next;
}

/* Walks the list; the current node may be removed inside the body. */
#define tg_list_each(node, head)                                                      \
    for (struct tg_list *node = (head)->next, *tg_next_ = node->next; node != (head); \
         node = tg_next_, tg_next_ = node->next)
