/* Included before every file: functions that write without knowing how much
   room there is, parse without telling errors, or keep hidden state. */
#ifndef EV_BASE_BANNED_H
#define EV_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gets
#pragma GCC poison gmtime localtime asctime ctime

#endif
