#ifndef EV_CMD_TERMINAL_H
#define EV_CMD_TERMINAL_H

#include <stdbool.h>

/* Columns of the terminal that standard output is, or what $COLUMNS says; 0: it
   is none, do not cut. */
int terminal_width(void);

/* May there be colours? Only on a terminal, and not with NO_COLOR. */
bool terminal_has_colour(void);

#endif
