/* Where the files are that come with dpp: connectors, jq, schemas … */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

enum { SHARE_PLACES = 4 };

/* Places for a folder of that name, best first: below $DPP_SHARE alone if it
 * is set, else where dpp was installed to, else beside the running program (an
 * unpacked release, a build tree). They need not exist. Returns how many; the
 * caller frees each. */
unsigned share_places(const char *folder, char *place[SHARE_PLACES]);

#endif
