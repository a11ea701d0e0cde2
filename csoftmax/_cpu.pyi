COMPILER: str
BASELINE: str

def level() -> int: ...
