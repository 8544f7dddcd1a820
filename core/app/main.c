/* The program. Everything else can be linked into a test; this file alone cannot. */
#include "app/command.h"

int main(int argc, char **argv)
{
    return tg_command_main(argc, argv);
}
