"""Runs a kernel on CPU tensors by walking its source the way Triton's compiler does, with values instead of names.

The walk is Triton's own front end (CodeGenerator): the same rules for constexprs, operators, device functions and
libraries. Only what a compiler does differently from an interpreter is replaced: branches, loops, calls and returns.
So nothing in triton.language has to be patched, and the process can go on compiling afterwards.
"""

import ast
import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import triton.language as tl
from triton.compiler import code_generator as front_end
from triton.language.core import _unwrap_if_constexpr as unwrap
from triton.runtime import interpreter as upstream
from triton.runtime.jit import JITFunction

from geak_evaluator.device import scopes
from geak_evaluator.device.arithmetic import np_dtype, values_of
from geak_evaluator.device.builder import Builder
from geak_evaluator.device.errors import KernelAssertion, Unsupported, beyond
from geak_evaluator.device.purity import Pure
from geak_evaluator.device.reductions import Semantic, TruthOfMany
from geak_evaluator.device.segments import Segment, parts

# Parsed sources by cache key: the key covers the source, and parsing for every call would cost more than running.
_TREES: dict[str, ast.FunctionDef] = {}
# Which builtins take the semantics and the generator; asking inspect for every call would cost more than the call.
_EXTRAS: dict[Any, tuple[bool, bool]] = {}
_BOUND = tuple(
    kind
    for kind in (getattr(front_end, name, None) for name in ("BoundJITMethod", "BoundConstexprFunction"))
    if kind is not None
)
_CONSTEXPR_FUNCTION: Any = getattr(front_end, "ConstexprFunction", ())
_CONDITION: Any = getattr(tl, "condition", ())


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


def _tree(function: Any) -> ast.FunctionDef:
    key = function.cache_key
    if key not in _TREES:
        _TREES[key] = function.parse().body[0]
    return _TREES[key]


def _line_before(function: Any) -> int:
    # The parsed source begins at "def"; the lines that Python knows begin at the first decorator.
    decorators = next((i for i, line in enumerate(function.raw_src) if line.strip().startswith("def ")), 0)
    return int(function.starting_line_number) + decorators - 1


def _wrap(value: Any) -> Any:
    if isinstance(value, (tuple, tl.tuple)):
        return front_end._apply_to_tuple_values(value, _wrap)
    return value if isinstance(value, tl.core.base_value) else tl.constexpr(value)


class Frame(front_end.CodeGenerator):  # type: ignore[misc]
    """One call of one function: the names it has bound so far."""

    def __init__(self, function: Any, builder: Builder, semantic: Semantic, frames: dict[int, "Frame"]) -> None:
        # The compiler's constructor makes an MLIR module, which nobody here would read.
        self.jit_fn = function
        self.builder = builder
        self.semantic = semantic
        self.frames = frames
        self.file_name = function.fn.__code__.co_filename
        self.begin_line = _line_before(function)
        self.begin_col = 0
        self.gscope = function.get_capture_scope()
        self.is_gluon = False
        self.scf_stack: list[Any] = []
        self.visiting_arg_default_value = False
        self.caller_context = None
        self.name_loc_as_prefix = None
        self.cur_node: Any = None
        self.lscope: dict[str, Any] = {}
        self.local_defs: dict[str, Any] = {}
        self.pending_annotations: dict[str, Any] = {}
        self.known_globals: dict[str, Any] = {}
        self.global_name: Any = self._define_name_lookup()
        self.names = [p.name for p in function.params]
        self.pure = Pure(self.gscope)
        self.parts: dict[int, list[Any]] = {}

    def call(self, values: dict[str, Any]) -> Any:
        """Run the body with these values for the parameters; what it returns."""
        frame = copy.copy(self)
        frame.lscope = values
        frame.local_defs = {}
        frame.pending_annotations = {}
        try:
            frame.visit_compound_statement(_tree(self.jit_fn).body)
        except _Return as done:
            return done.value
        except Exception as error:
            frame._note_line(error)
            raise
        return tl.constexpr(None)

    def _note_line(self, error: BaseException) -> None:
        # The innermost frame knows the line best; the outer ones find the note already there.
        if not hasattr(error, "_kernel_line"):
            line = self.begin_line + getattr(self.cur_node, "lineno", 0)
            error._kernel_line = (self.jit_fn.__name__, line)  # type: ignore[attr-defined]

    # -- walking --

    def visit(self, node: Any) -> Any:
        """Visit one node; without the compiler's locations and wrapped errors."""
        if node is None:
            return None
        if hasattr(node, "lineno"):
            self.cur_node = node
        visitor: Any = getattr(self, "visit_" + node.__class__.__name__, self.generic_visit)
        if (recording := self.builder.recording) is not None:
            recording.where = (self.jit_fn.__name__, self.begin_line + getattr(self.cur_node, "lineno", 0))
            return visitor(node)
        names = self.pure.reads(node, self.lscope)
        if names is None:
            return visitor(node)
        inputs = [self.lscope.get(name) for name in names]
        found, result = self.pure.recall(node, inputs)
        return result if found else self.pure.keep(node, inputs, visitor(node))

    def visit_compound_statement(self, body: Any) -> None:
        """Run a body: its statements without branches from tapes, where there are any."""
        if self.builder.recording is not None:
            for statement in body:
                self.visit(statement)
            return
        if id(body) not in self.parts:
            self.parts[id(body)] = list(parts(body))
        for part in self.parts[id(body)]:
            if isinstance(part, Segment):
                part.run(self)
            else:
                self.visit(part)

    def _maybe_set_loc_to_name(self, val: Any, name: str) -> None:
        pass

    @contextmanager
    def _name_loc_prefix(self, prefix: str) -> Iterator[None]:
        yield

    def visit_Name(self, node: ast.Name) -> Any:
        """A name: local, else what the compiler would find, library stubs replaced by the target's library."""
        if type(node.ctx) is ast.Store:
            return node.id
        name = node.id
        if name in self.lscope:
            if (value := self.lscope[name]) is scopes.UNKNOWN:
                raise scopes.used(name)
            return value
        if name not in self.known_globals:
            value = self.global_name(name)
            if isinstance(value, ModuleType):
                value = self.builder.module_map.get(value.__name__, value)
            else:
                library = self.builder.module_map.get(getattr(value, "__module__", "") or "")
                value = getattr(library, value.__name__) if library is not None else value
            self.known_globals[name] = value
        return self.known_globals[name]

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """x += y, as x = x + y."""
        plain = getattr(node, "_plain", None)
        if plain is None:
            load = copy.deepcopy(node.target)
            load.ctx = ast.Load()
            plain = ast.copy_location(
                ast.Assign(targets=[node.target], value=ast.copy_location(ast.BinOp(load, node.op, node.value), node)),
                node,
            )
            node._plain = plain  # type: ignore[attr-defined]
        return self.visit(plain)

    def visit_Return(self, node: ast.Return) -> None:
        """Leave the function."""
        value = self.visit(node.value)
        raise _Return(tl.constexpr(None) if value is None else value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Only reached for a function inside a function, which Triton does not have."""
        raise Unsupported("nested function definitions are not allowed inside a kernel")

    # -- branches and loops --

    def truth(self, value: Any) -> bool:
        """The truth of a condition, which must be a scalar."""
        if isinstance(value, _CONDITION):
            value = value.condition
        if not isinstance(value, tl.tensor):
            return bool(unwrap(value))
        self._depends_on_values()
        data = values_of(value.handle)
        if data.size != 1:
            if value.type.is_block():
                raise ValueError("Boolean value of Tensor with more than one value is ambiguous")
            raise TruthOfMany
        return bool(data.reshape(-1)[0] != 0)

    def _depends_on_values(self) -> None:
        # Another pass may go another way.
        if self.builder.recording is not None:
            self.builder.recording.given_up = True

    def visit_If(self, node: ast.If) -> None:
        """Run one branch."""
        test = self.visit(node.test)
        branch = node.body if self.truth(test) else node.orelse
        before = dict(self.lscope) if isinstance(test, tl.tensor) else None
        self.visit_compound_statement(branch)
        if before is not None:
            scopes.leave_branch(node, before, self.lscope)

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        """The value of one branch."""
        test = self.visit(node.test)
        value = self.visit(node.body if self.truth(test) else node.orelse)
        return self.semantic.to_tensor(value) if isinstance(test, tl.tensor) else value

    def visit_While(self, node: ast.While) -> None:
        """Loop while the condition holds."""
        fresh = scopes.fresh(node, self.lscope)
        while self.truth(self.visit(node.test)):
            self.visit_compound_statement(node.body)
            scopes.forget(fresh, self.lscope)
            self.builder.next_turn()

    def visit_For(self, node: ast.For) -> None:
        """Loop over range, tl.range or tl.static_range."""
        call: Any = node.iter
        target: Any = node.target
        kind = unwrap(self.visit(call.func))
        args = [self.visit(arg) for arg in call.args]
        kwargs = dict(self.visit(keyword) for keyword in call.keywords)
        if kind is tl.static_range:
            bounds = kind(*args, **kwargs)
            for i in range(*(int(unwrap(v)) for v in (bounds.start, bounds.end, bounds.step))):
                self.lscope[target.id] = tl.constexpr(i)
                self.visit_compound_statement(node.body)
            return
        if kind is tl.range:
            bounds = kind(*args, **kwargs)
            limits = [bounds.start, bounds.end, bounds.step]
        elif kind is range:
            limits = [tl.constexpr(0), *args] if len(args) == 1 else args
            limits = [*limits, tl.constexpr(1)][:3]
        else:
            raise Unsupported("only range and static_range can be looped over")
        if any(isinstance(limit, tl.tensor) for limit in limits):
            self._depends_on_values()
        if isinstance(limits[2], tl.tensor) and (step := int(limits[2].handle.data.reshape(-1)[0])) <= 0:
            raise KernelAssertion(f"a loop's step is {step}; unless it is a constant, Triton takes it to be positive")
        fresh = scopes.fresh(node, self.lscope)
        tensors = [self.semantic.to_tensor(limit) for limit in limits]
        promote = self.semantic.integer_promote_impl
        scalar = promote(promote(tensors[0].dtype, tensors[1].dtype), tensors[2].dtype)
        dtype = np_dtype(scalar)
        for i in range(*(int(t.handle.data.reshape(-1)[0]) for t in tensors)):
            self.set_value(target.id, tl.tensor(upstream.TensorHandle(np.array([i], dtype), scalar), scalar))
            self.visit_compound_statement(node.body)
            scopes.forget(fresh, self.lscope)
            self.builder.next_turn()
        self.lscope[target.id] = scopes.UNKNOWN

    # -- calls --

    def call_JitFunction(self, fn: Any, args: Sequence[Any], kwargs: dict[str, Any], caller_context: Any = None) -> Any:
        """Call a device function."""
        frame = self.frames.get(id(fn))
        if frame is None:
            frame = self.frames[id(fn)] = Frame(fn, self.builder, self.semantic, self.frames)
        if kwargs or len(args) != len(frame.names):
            bound = fn.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = [bound.arguments[name] for name in frame.names]
        return frame.call({name: _wrap(value) for name, value in zip(frame.names, args, strict=True)})

    def call_Function(self, node: Any, fn: Any, args: list[Any], kws: dict[str, Any]) -> Any:
        """Call whatever can be called in a kernel."""
        if isinstance(fn, _BOUND):
            args, fn = [fn.__self__, *args], fn.__func__
        if isinstance(fn, JITFunction):
            return self.call_JitFunction(fn, args, kws)
        if fn is getattr(tl, "map_elementwise", _Return):
            return self._map_elementwise(*args, **kws)
        owner = getattr(fn, "__self__", None)
        is_method = isinstance(owner, tl.core.base_value)
        if is_method or tl.core.is_builtin(fn) or isinstance(fn, _CONSTEXPR_FUNCTION):
            semantic, generator = self._extras(fn)
            if semantic:
                kws = {**kws, "_semantic": self.semantic}
            if generator:
                kws = {**kws, "_generator": self}
            result = fn(*args, **kws)
            return tl.tuple(result) if isinstance(result, tuple) else result
        if owner is not None or any(fn is known for known in self.builtin_namespace.values()):
            args = [unwrap(arg) for arg in args]
        return _wrap(fn(*args, **kws))

    def _extras(self, fn: Any) -> tuple[bool, bool]:
        key = getattr(fn, "__func__", fn)
        if key not in _EXTRAS:
            takes = inspect.signature(fn.__call__ if isinstance(fn, _CONSTEXPR_FUNCTION) else fn).parameters
            _EXTRAS[key] = ("_semantic" in takes, "_generator" in takes)
        return _EXTRAS[key]

    def _map_elementwise(self, function: Any, *args: Any, pack: Any = 1) -> Any:
        if unwrap(pack) != 1:
            raise beyond("map_elementwise with pack")
        tensors = [self.semantic.to_tensor(arg) for arg in args]
        result = self.semantic.map_scalars(lambda *scalars: self.call_JitFunction(function, scalars, {}), tensors)
        return tl.tuple(result) if isinstance(result, tuple) else result

    # Said once by the compiler; the interpreter would repeat it for every program.
    statically_implemented_functions: ClassVar[dict[Any, Any]] = {
        **front_end.CodeGenerator.statically_implemented_functions,
        tl.static_print: lambda self, node: None,
    }
