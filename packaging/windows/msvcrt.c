/* What Microsoft's msvcrt.lib puts into every DLL, as far as csoftmax's ask for it. */
#pragma comment(lib, "kernel32.lib")
#pragma comment(lib, "ntdll.lib") /* __chkstk */
#pragma comment(lib, "ucrtbase.lib")
#pragma comment(lib, "vcruntime140.lib")

int _fltused = 1;
unsigned long long __security_cookie = 0x2b992ddfa232;

void __security_check_cookie(unsigned long long cookie) {
    if (cookie != __security_cookie) __builtin_trap();
}

int _DllMainCRTStartup(void *module, unsigned reason, void *reserved) {
    (void)module, (void)reason, (void)reserved;
    return 1;
}
