#include "api/audit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct audit {
    pthread_mutex_t lock;
    struct audit_state state; /* without the head */
    bool is_at_it;
};

struct audit *audit_new(void)
{
    struct audit *audit = calloc(1, sizeof(*audit));

    if (audit != NULL) {
        pthread_mutex_init(&audit->lock, NULL);
    }
    return audit;
}

void audit_free(struct audit *audit)
{
    if (audit != NULL) {
        pthread_mutex_destroy(&audit->lock);
        free(audit);
    }
}

int audit_look(struct audit *audit, struct store_reader *reader, struct audit_state *ret,
               struct err_info *reterr)
{
    struct store_chain head;
    int rc = store_read_head(reader, &head, reterr);

    if (rc == 0) {
        pthread_mutex_lock(&audit->lock);
        *ret = audit->state;
        pthread_mutex_unlock(&audit->lock);
        ret->head = head;
    }
    return rc;
}

static bool take(struct audit *audit, bool must_restart, struct audit_state *state)
{
    pthread_mutex_lock(&audit->lock);
    bool is_mine = !audit->is_at_it;
    audit->is_at_it = true;
    *state = audit->state;
    pthread_mutex_unlock(&audit->lock);
    if (must_restart) {
        *state = (struct audit_state){.wall_ms = 0};
    }
    return is_mine;
}

static void give_back(struct audit *audit, const struct audit_state *state)
{
    pthread_mutex_lock(&audit->lock);
    audit->state = *state;
    audit->is_at_it = false;
    pthread_mutex_unlock(&audit->lock);
}

int audit_verify(struct audit *audit, struct store_reader *reader, uint32_t max, bool must_restart,
                 int64_t wall_ms, struct audit_state *ret, struct err_info *reterr)
{
    struct audit_state state;
    struct err_info why = {0};

    if (!take(audit, must_restart, &state)) {
        return err_set(reterr, ERR_CONFLICT, "a stretch is being verified at this moment");
    }
    struct store_chain at = state.verified;
    int rc = state.is_broken ? 0 : store_read_verify(reader, &at, max, &why);
    if (rc == ERR_CORRUPT && at.seq > state.verified.seq) {
        state.is_broken = true;
        buf_copy(state.why, sizeof(state.why), span_str(why.text));
        rc = 0;
    } else if (rc >= 0) {
        state.verified = at;
    }
    state.wall_ms = rc >= 0 ? wall_ms : state.wall_ms;
    give_back(audit, &state);
    if (rc < 0) {
        return err_set(reterr, rc, "%s", why.text);
    }
    return audit_look(audit, reader, ret, reterr);
}
