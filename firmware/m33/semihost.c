/* Test images: main inside of newlib's semihosting, its result as the emulator's exit status. */
#include <stdlib.h>

#include "m33/startup.h"

int main(void);
void initialise_monitor_handles(void); /* librdimon: opens standard output on the host */

void startup_main(void)
{
    initialise_monitor_handles();
    exit(main());
}
