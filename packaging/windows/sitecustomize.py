"""What NumPy asks of the C library when it is imported, and Wine 8's lacks: parts of complexes."""

import ctypes

for name, code in {
    "crealf": "66 0f 6e c1 c3",  # movd xmm0, ecx; ret
    "cimagf": "48 c1 e9 20 66 0f 6e c1 c3",  # shr rcx, 32; movd xmm0, ecx; ret
    "creall": "f2 0f 10 01 c3",  # movsd xmm0, [rcx]; ret
    "cimagl": "f2 0f 10 41 08 c3",  # movsd xmm0, [rcx + 8]; ret
}.items():
    place = ctypes.cast(getattr(ctypes.cdll.ucrtbase, name), ctypes.c_void_p)
    writable = 0x40
    ctypes.windll.kernel32.VirtualProtect(place, 16, writable, ctypes.byref(ctypes.c_uint32()))
    ctypes.memmove(place, bytes.fromhex(code), len(bytes.fromhex(code)))
