import time

REQUIRED, PREFERRED, STRONG_DEFAULT, DEFAULT, WEAKEST = 0, 2, 3, 4, 6
NOWHERE, FORWARD, BACKWARD = 0, 1, 2


class Variable:
    def __init__(self, value):
        self.value = value
        self.constraints = []
        self.determined_by = None
        self.mark, self.walk, self.stay = 0, WEAKEST, True

    def consumers(self, todo):
        determining = self.determined_by
        for constraint in self.constraints:
            if constraint is not determining and constraint.is_satisfied():
                todo.append(constraint)

    def forget(self, constraint):
        self.constraints = [other for other in self.constraints if other is not constraint]


class Unary:
    def __init__(self, variable, strength, is_input):
        self.variable, self.strength, self.is_input = variable, strength, is_input
        self.satisfied = False

    def is_satisfied(self):
        return self.satisfied

    def enter(self):
        self.variable.constraints.append(self)
        self.satisfied = False

    def leave(self):
        self.variable.forget(self)
        self.satisfied = False

    def choose(self, mark):
        self.satisfied = self.variable.mark != mark and self.strength < self.variable.walk

    def mark_inputs(self, mark):
        pass

    def inputs_known(self, mark):
        return True

    def mark_unsatisfied(self):
        self.satisfied = False

    def output(self):
        return self.variable

    def execute(self):
        pass

    def recalculate(self):
        self.variable.walk = self.strength
        self.variable.stay = not self.is_input


def is_known(variable, mark):
    return variable.mark == mark or variable.stay or variable.determined_by is None


class Binary:
    is_input = False

    def __init__(self, first, second, strength, scale=None, offset=None):
        self.first, self.second, self.strength = first, second, strength
        self.scale, self.offset = scale, offset
        self.direction = NOWHERE

    def is_satisfied(self):
        return self.direction != NOWHERE

    def variables(self):
        both = [self.first, self.second]
        return both if self.scale is None else both + [self.scale, self.offset]

    def enter(self):
        for variable in self.variables():
            variable.constraints.append(self)
        self.direction = NOWHERE

    def leave(self):
        for variable in self.variables():
            variable.forget(self)
        self.direction = NOWHERE

    def choose(self, mark):
        first, second = self.first, self.second
        if first.mark == mark:
            forward = second.mark != mark and self.strength < second.walk
            self.direction = FORWARD if forward else NOWHERE
        elif second.mark == mark or first.walk > second.walk:
            self.direction = BACKWARD if self.strength < first.walk else NOWHERE
        else:
            self.direction = FORWARD if self.strength < second.walk else NOWHERE

    def input(self):
        return self.first if self.direction == FORWARD else self.second

    def output(self):
        return self.second if self.direction == FORWARD else self.first

    def mark_inputs(self, mark):
        self.input().mark = mark
        if self.scale is not None:
            self.scale.mark = mark
            self.offset.mark = mark

    def inputs_known(self, mark):
        if not is_known(self.input(), mark):
            return False
        return self.scale is None or (is_known(self.scale, mark) and is_known(self.offset, mark))

    def mark_unsatisfied(self):
        self.direction = NOWHERE

    def execute(self):
        if self.scale is None:
            self.output().value = self.input().value
        elif self.direction == FORWARD:
            self.second.value = self.first.value * self.scale.value + self.offset.value
        else:
            self.first.value = (self.second.value - self.offset.value) // self.scale.value

    def recalculate(self):
        input, output = self.input(), self.output()
        output.walk = max(self.strength, input.walk)
        output.stay = input.stay and (self.scale is None or (self.scale.stay and self.offset.stay))
        if output.stay:
            self.execute()


class Planner:
    def __init__(self):
        self.mark = 0

    def new_mark(self):
        self.mark += 1
        return self.mark

    def add(self, constraint):
        constraint.enter()
        self.incremental_add(constraint)
        return constraint

    def destroy(self, constraint):
        if constraint.is_satisfied():
            self.incremental_remove(constraint)
        constraint.leave()

    def satisfy(self, constraint, mark):
        constraint.choose(mark)
        if not constraint.is_satisfied():
            if constraint.strength == REQUIRED:
                raise ValueError("a required constraint cannot be satisfied")
            return None
        constraint.mark_inputs(mark)
        output = constraint.output()
        overridden = output.determined_by
        if overridden is not None:
            overridden.mark_unsatisfied()
        output.determined_by = constraint
        if not self.add_propagate(constraint, mark):
            raise ValueError("a cycle of constraints")
        output.mark = mark
        return overridden

    def incremental_add(self, constraint):
        mark = self.new_mark()
        overridden = self.satisfy(constraint, mark)
        while overridden is not None:
            overridden = self.satisfy(overridden, mark)

    def incremental_remove(self, constraint):
        output = constraint.output()
        constraint.mark_unsatisfied()
        constraint.leave()
        unsatisfied = self.remove_propagate(output)
        for strength in range(REQUIRED, WEAKEST + 1):
            for other in unsatisfied:
                if other.strength == strength:
                    self.incremental_add(other)

    def add_propagate(self, constraint, mark):
        todo = [constraint]
        while todo:
            next = todo.pop()
            if next.output().mark == mark:
                self.incremental_remove(constraint)
                return False
            next.recalculate()
            next.output().consumers(todo)
        return True

    def remove_propagate(self, output):
        output.determined_by = None
        output.walk = WEAKEST
        output.stay = True
        unsatisfied = []
        todo = [output]
        while todo:
            variable = todo.pop()
            for constraint in variable.constraints:
                if not constraint.is_satisfied():
                    unsatisfied.append(constraint)
            consumers = []
            variable.consumers(consumers)
            for constraint in consumers:
                constraint.recalculate()
                todo.append(constraint.output())
        return unsatisfied

    def plan(self, constraints):
        todo = [c for c in constraints if c.is_input and c.is_satisfied()]
        mark = self.new_mark()
        plan = []
        while todo:
            constraint = todo.pop()
            output = constraint.output()
            if output.mark != mark and constraint.inputs_known(mark):
                plan.append(constraint)
                output.mark = mark
                output.consumers(todo)
        return plan

    def change(self, variable, value):
        edit = self.add(Unary(variable, PREFERRED, True))
        plan = self.plan([edit])
        for _ in range(10):
            variable.value = value
            for constraint in plan:
                constraint.execute()
        self.destroy(edit)


def chain(n):
    planner = Planner()
    variables = [Variable(0) for _ in range(n + 1)]
    for i in range(n):
        planner.add(Binary(variables[i], variables[i + 1], REQUIRED))
    planner.add(Unary(variables[n], STRONG_DEFAULT, False))
    edit = planner.add(Unary(variables[0], PREFERRED, True))
    plan = planner.plan([edit])
    for i in range(100):
        variables[0].value = i
        for constraint in plan:
            constraint.execute()
        assert variables[n].value == i
    planner.destroy(edit)


def projection(n):
    planner = Planner()
    scale, offset = Variable(10), Variable(1000)
    sources, targets = [], []
    for i in range(n):
        sources.append(Variable(i))
        targets.append(Variable(i))
        planner.add(Unary(sources[i], DEFAULT, False))
        planner.add(Binary(sources[i], targets[i], REQUIRED, scale, offset))
    planner.change(sources[n - 1], 17)
    assert targets[n - 1].value == 1170
    planner.change(targets[n - 1], 1050)
    assert sources[n - 1].value == 5
    planner.change(scale, 5)
    for i in range(n - 1):
        assert targets[i].value == i * 5 + 1000
    planner.change(offset, 2000)
    for i in range(n - 1):
        assert targets[i].value == i * 5 + 2000


start = time.perf_counter()
for _ in range(3):
    chain(2000)
    projection(2000)
print((time.perf_counter() - start) * 1000)
