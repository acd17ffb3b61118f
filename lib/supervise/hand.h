/* Secrets for the stages: each gets the keys of those entries of the vault
 * that its own arguments name, as a sealed memory file, and no other. So a
 * stage that may open one entry cannot open another, nor has it the vault's
 * key to make keys with.
 *
 * An argument names an entry if it is a reference ("vault:NAME",
 * "vault:NAME.FIELD"), or one behind "-k" or "=" ("-X
 * sasl.password=vault:NAME"); or a file in which such references stand when the
 * segment starts: @FILE of -X, and -c FILE of dpp-listen. */
#ifndef SUPERVISE_HAND_H
#define SUPERVISE_HAND_H

struct err;
struct segment;

/* Once, before the first start: the vault is opened if a stage names an entry,
 * and closed again; it may ask for a passphrase. As secret_read() fails. */
int hand_prepare(struct segment *, struct err *);

/* In the child: what $DPP_VAULT_FD says from now on. fd: 0 for none. */
void hand_over(int fd);

#endif
