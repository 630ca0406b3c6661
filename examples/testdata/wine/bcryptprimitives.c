/* bcryptprimitives.dll, which Wine 8 lacks and without which no Go program starts:
   runtime/os_windows.go asks it for random bytes. */
#include <windows.h>
#include <ntsecapi.h>

BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    return RtlGenRandom(data, (ULONG)size);
}
