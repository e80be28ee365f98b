"""Arithmetic in Python's notation, worked out without ever running code of the one who wrote it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Number: TypeAlias = float | int | bool

LONGEST = 10_000
LARGEST_EXPONENT = 4000
MOST_BITS = 1 << 16

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "round": round,
    "sqrt": math.sqrt,
    "ceil": math.ceil,
    "floor": math.floor,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "int": int,
    "float": float,
}
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}
BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.RShift: lambda a, b: a >> b,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


# The first that fits is the message for what Python raises.
WHY: Mapping[type[Exception], str] = {
    ZeroDivisionError: "it divides by zero",
    ArithmeticError: "a number in it gets too large",
    IndexError: "an index is beyond the last value; the first is values[0]",
    LookupError: "it uses an operation that there is none of here",
    ValueError: "a function has no value there, as the root or logarithm of a negative number",
    TypeError: "a function gets too few, too many or other things, or a list stands for a number",
    Exception: "it cannot be worked out",
}


class ExpressionError(ValueError):
    """An expression that has no value; the text says why."""


def value_of(expression: str, names: Mapping[str, Number | list[Number]]) -> Number:
    """The finite number that an expression comes to.

    It may use + - * / // % **, comparisons, and, or, not, `x if c else y`, & | ^ ~ << >>,
    indexing, sum, pow, and `FUNCTIONS`.

    Raises:
        ExpressionError: it is blank, wrong, too large, or comes to something else.
    """
    if not expression.strip():
        raise ExpressionError("expression: it is blank; write 'a + b', say")
    if len(expression) > LONGEST:
        raise ExpressionError(f"expression: it is longer than {LONGEST} characters")
    try:
        found = _value(ast.parse(expression.strip(), mode="eval").body, names)
    except ExpressionError:
        raise
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError) as error:
        why = next(words for kind, words in WHY.items() if isinstance(error, kind))
        raise ExpressionError(f"expression {_short(expression)}: {why}") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise ExpressionError(f"expression {_short(expression)}: it cannot be read") from None
    if not isinstance(found, int | float) or not math.isfinite(found):
        raise ExpressionError(f"expression {_short(expression)}: it comes to no finite number")
    return found


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return _limited(value)
        case ast.Name(id=name):
            return _named(name, names)
        case ast.UnaryOp(op=op, operand=operand):
            return UNARY[type(op)](_value(operand, names))
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(op, _value(left, names), _value(right, names))
        case ast.BoolOp(op=op, values=parts):
            return _decided(isinstance(op, ast.And), parts, names)
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared(_value(left, names), ops, [_value(other, names) for other in others])
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, names) else orelse, names)
        case ast.Subscript(value=whole, slice=index):
            return _value(whole, names)[_value(index, names)]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _called(name, [_value(argument, names) for argument in arguments])
        case _:
            raise ExpressionError(f"expression: {ast.unparse(node)[:100]!r} is not arithmetic")


def _named(name: str, names: Mapping[str, Any]) -> Any:
    if name not in names:
        known = ", ".join(names)
        raise ExpressionError(
            f"expression: nothing is called {name[:100]!r}; there is {known or 'no value'}"
        )
    return names[name]


def _combined(op: ast.operator, left: Any, right: Any) -> Any:
    if not (_is_number(left) and _is_number(right)):
        raise ExpressionError("expression: only numbers can be computed with")
    if isinstance(op, ast.Pow):
        return _power(left, right)
    if isinstance(op, ast.LShift):
        return _limited(left << right) if abs(right) <= MOST_BITS else _too_large()
    if type(op) not in BINARY:
        raise ExpressionError(f"expression: there is no operator {type(op).__name__}")
    return _limited(BINARY[type(op)](left, right))


def _decided(is_and: bool, parts: list[ast.expr], names: Mapping[str, Any]) -> Any:
    """`and` stops at the first that does not hold, `or` at the first that does."""
    value: Any = is_and
    for part in parts:
        value = _value(part, names)
        if bool(value) is not is_and:
            break
    return value


def _compared(left: Any, ops: list[ast.cmpop], others: list[Any]) -> bool:
    for op, right in zip(ops, others, strict=True):
        if type(op) not in COMPARISONS:
            raise ExpressionError(f"expression: there is no comparison {type(op).__name__}")
        if not COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True


def _called(name: str, arguments: list[Any]) -> Any:
    if name == "sum":
        return _limited(sum(arguments[0] if _is_list(arguments) else arguments))
    if name == "pow":
        return _power(*arguments)
    if name not in FUNCTIONS:
        known = ", ".join(["sum", "pow", *FUNCTIONS])
        raise ExpressionError(f"expression: there is no function {name[:100]!r}; there is {known}")
    return _limited(FUNCTIONS[name](*arguments))


def _is_list(arguments: list[Any]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], list)


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > LARGEST_EXPONENT:
        raise ExpressionError(f"expression: an exponent is beyond {LARGEST_EXPONENT}")
    if isinstance(base, int) and base.bit_length() * max(exponent, 1) > MOST_BITS:
        return _too_large()
    result = base**exponent
    if isinstance(result, complex):
        raise ExpressionError("expression: a root of a negative number is no number")
    return _limited(result)


def _limited(value: Any) -> Any:
    return _too_large() if isinstance(value, int) and value.bit_length() > MOST_BITS else value


def _too_large() -> Any:
    raise ExpressionError(f"expression: a number has more than {MOST_BITS} bits")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _short(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "...")
