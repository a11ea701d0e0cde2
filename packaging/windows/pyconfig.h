/* What Python's header of this name says on Windows, as far as modules of the stable ABI ask. */
#include <basetsd.h>
#include <io.h>
#include <stdio.h>

#define MS_WINDOWS
#define MS_WIN32
#define MS_WIN64
#define NT_THREADS
#define Py_ENABLE_SHARED 1
#define HAVE_DECLSPEC_DLL
#define HAVE_INTPTR_T 1
#define HAVE_UINTPTR_T 1
#define HAVE_PY_SSIZE_T 1
#define PY_SSIZE_T_MAX LLONG_MAX
#define SIZEOF_SHORT 2
#define SIZEOF_WCHAR_T 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_VOID_P 8

typedef __int64 Py_ssize_t;
typedef int pid_t;

#pragma comment(lib, "python3.lib")
