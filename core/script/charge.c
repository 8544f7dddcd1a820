/* A rule is muted for good when it overruns its budget, so its bill must be beyond doubt. The
 * kernel's account of a thread's processor time is not: on a virtual machine it goes on while the
 * host has taken the processor away, and a machine that was held for 50 ms finds 50 ms on the bill
 * of whatever rule stood in the middle of a call.
 *
 * So time is charged in small pieces, each on evidence. No look charges more than two naps however
 * far the account has moved: what stands still with the watchdog was a held machine. And a piece
 * counts only if the thread has answered a signal within it: a processor that was taken away
 * answers nothing. The first piece goes on credit, so that a call which ends within a nap or two,
 * as nearly all do, is never interrupted.
 *
 * The price: a runaway on a machine so loaded that the watchdog itself comes late is stopped later
 * than its budget says, by as much as the watchdog was late. */
#include "script/charge.h"

#define NAP_MS 5
#define LOOKS 4 /* of a budget */

int tg_charge_nap_ms(int budget_ms)
{
    int nap = budget_ms / LOOKS;
    return nap < 1 ? 1 : nap > NAP_MS ? NAP_MS : nap;
}

bool tg_charge_look(struct tg_charge *charge, uint32_t serial, int64_t burnt_us, int nap_ms,
                    bool answered)
{
    if (!serial || serial != charge->serial) {
        *charge = (struct tg_charge){.serial = serial, .seen_us = burnt_us};
        return false;
    }
    int64_t piece = burnt_us - charge->seen_us, most = nap_ms * INT64_C(2000);
    if (piece > most) piece = most;
    charge->seen_us = burnt_us;
    if (answered || !charge->looks)
        charge->us += piece;
    else
        charge->silent_us += piece;
    charge->looks++;
    return true;
}
