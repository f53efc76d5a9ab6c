//! From a text to its effect: load, parse, check, compile, run.
//!
//! A [`Driver`] owns the [`SourceMap`] and the [`Machine`], gives out the slots of global variables and keeps the modules
//! that were imported. Each stage is one call, and one can stop after any of them.
//!
//! Imports everything below it: `syntax`, `check`, `compile`, `vm`, `builtins`, `diag`, `source`. **Invariant:** it decides
//! nothing about a text and prints nothing: what texts mean stands in the stages, what users see in `cli` and `engine`.

mod environment;
mod imports;
mod lifecycle;

pub use imports::modules_in_par;
pub use lifecycle::Tell;

use crate::check::{self, Earlier, Imported, Mode};
use crate::diag::{self, Severity, codes};
use crate::source::{Source, SourceMap};
use crate::syntax::{self, ast};
use crate::value::Value;
use crate::value::function::Proto;
use crate::value::native::Outcome;
use crate::vm::Machine;
use environment::Surroundings;
use imports::Imports;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The errors of a text, in its order; never empty.
pub type Errors = Vec<diag::Error>;

/// A compiled text, to be run any number of times.
#[derive(Clone)]
pub struct Program {
    main: Rc<Proto>,
    /// What its top level declares: name and slot.
    globals: Rc<[(Rc<str>, u32)]>,
}

impl Program {
    /// Its code.
    pub fn main(&self) -> &Rc<Proto> {
        &self.main
    }
}

/// Runs texts on one machine.
pub struct Driver {
    machine: Machine,
    sources: SourceMap,
    imports: Imports,
    /// What lines at the prompt, and the embedding program, have declared.
    session: HashMap<Rc<str>, Earlier>,
    /// The error kinds that all texts so far make.
    kinds: Vec<Rc<str>>,
    /// The first global slot that nobody has.
    next_slot: u32,
    /// Warnings of the texts compiled since [`Driver::take_warnings`].
    warnings: Vec<diag::Error>,
    /// Errors of imported files besides the one that their import reports.
    further: Errors,
}

impl Default for Driver {
    fn default() -> Self {
        Driver::new()
    }
}

impl Driver {
    /// A driver that has loaded nothing.
    pub fn new() -> Driver {
        let mut machine = Machine::new();
        lifecycle::connect(&mut machine.hooks);
        Driver {
            machine,
            sources: SourceMap::default(),
            imports: Imports::default(),
            session: HashMap::new(),
            kinds: Vec::new(),
            next_slot: 0,
            warnings: Vec::new(),
            further: Errors::new(),
        }
    }

    /// The machine.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Setting it, from any thread, raises `Interrupted` in the script that runs.
    pub fn interrupt_flag(&self) -> Arc<AtomicBool> {
        self.machine.interrupt_flag()
    }

    /// All texts so far: what reports quote.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// Registers a text under the name that reports call it by.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        self.sources.add(name, text)
    }

    /// Reads and registers a file.
    ///
    /// # Errors
    /// An `IoError`: the file cannot be read, or is not UTF-8.
    pub fn load(&mut self, path: &Path) -> diag::Result<Arc<Source>> {
        let text = imports::read(path)?;
        Ok(self.add(imports::shown(path), text))
    }

    /// Compiles a registered text. What it imports is relative to the folder of `file`, or to the current one for a text that
    /// is in no file.
    ///
    /// # Errors
    /// Everything that is wrong with it. Warnings are kept for [`Driver::take_warnings`].
    pub fn compile(
        &mut self,
        source: &Source,
        mode: Mode,
        file: Option<&Path>,
    ) -> Result<Program, Errors> {
        let module = syntax::parse(source)?;
        self.compile_parsed(&module, mode, file)
    }

    /// Compiles a script of which one test (by its place among them) runs behind the script's body.
    ///
    /// # Errors
    /// As [`Driver::compile`].
    pub fn compile_test(
        &mut self,
        source: &Source,
        file: &Path,
        test: usize,
    ) -> Result<Program, Errors> {
        let mut module = syntax::parse(source)?;
        module.keep_test(test);
        self.compile_parsed(&module, Mode::Script, Some(file))
    }

    fn compile_parsed(
        &mut self,
        module: &ast::Module,
        mode: Mode,
        file: Option<&Path>,
    ) -> Result<Program, Errors> {
        self.imports.enter(file);
        let compiled = self.compile_tree(module, mode);
        self.imports.leave(file);
        compiled
    }

    /// Checks a registered text and what it imports, without running anything.
    ///
    /// # Errors
    /// As [`Driver::compile`].
    pub fn check(&mut self, source: &Source, file: Option<&Path>) -> Result<(), Errors> {
        self.compile(source, Mode::Script, file).map(drop)
    }

    fn compile_tree(&mut self, module: &ast::Module, mode: Mode) -> Result<Program, Errors> {
        let checked = check::check(module, &mut Surroundings::new(self, mode));
        let mut resolved = checked.map_err(|mut errors| {
            errors.append(&mut self.further);
            errors
        })?;
        self.warnings.append(&mut resolved.warnings);
        self.check_slots(module)?;
        let main = self
            .machine
            .load(module, &resolved, &self.sources)
            .map_err(|error| vec![*error])?;
        for kind in &resolved.kinds {
            if !self.kinds.contains(kind) {
                self.kinds.push(kind.clone());
            }
        }
        let declared = resolved.globals.iter();
        let globals: Rc<[_]> = declared
            .map(|(slot, global)| (global.name.clone(), *slot))
            .collect();
        if mode == Mode::Prompt {
            self.remember(resolved);
        }
        Ok(Program { main, globals })
    }

    /// Keeps what a line declares for the lines after it.
    fn remember(&mut self, line: check::Resolved) {
        for (slot, global) in line.globals {
            let constant = global.constant;
            let earlier = Earlier::Global { slot, constant };
            self.session.insert(global.name, earlier);
        }
        for (name, imported) in line.imports {
            let earlier = Earlier::Import(imported);
            self.session.insert(name, earlier);
        }
    }

    fn check_slots(&self, module: &ast::Module) -> Result<(), Errors> {
        let most = self.machine.global_capacity();
        if self.next_slot as usize <= most {
            return Ok(());
        }
        let message = format!(
            "at most {most} top-level variables, found {}",
            self.next_slot
        );
        Err(vec![
            *diag::Error::new(codes::TOO_MANY, message).with_span(module.span),
        ])
    }

    /// From now on failures of spawned processes that nobody joined are told, each by the process that spawned it when that
    /// process ends. (One teller for each thread.)
    pub fn tell_failures_by(&self, tell: Tell) {
        lifecycle::tell_failures_by(tell, &self.sources);
    }

    /// Runs a compiled text: first the bodies of the modules that it imports and that have not run yet, in the order of
    /// their imports, then its own. The value is that of its last expression.
    ///
    /// # Errors
    /// What the script did not catch, or its `exit`.
    pub fn run(&mut self, program: &Program) -> Outcome {
        lifecycle::know_sources(&self.sources);
        while let Some(body) = self.imports.next_to_run() {
            self.machine.run(&body)?;
        }
        self.machine.run(&program.main)
    }

    /// Forgets the names of a line at the prompt whose declarations did not come to run, so that `let x = fail()` leaves no
    /// `x` behind.
    pub fn forget_undeclared(&mut self, program: &Program) {
        for (name, slot) in program.globals.iter() {
            if self.machine.global_slot(*slot).is_none() {
                self.session.remove(name);
            }
        }
    }

    /// Sets a variable of the session, for the embedding program: it is declared when it is not there.
    ///
    /// # Errors
    /// There is no room for another variable.
    pub fn set_variable(&mut self, name: &str, value: Value) -> diag::Result<()> {
        let slot = match self.session.get(name) {
            Some(Earlier::Global { slot, .. }) => *slot,
            _ => {
                let name: Rc<str> = name.into();
                let slot = self.slot_for(&name);
                if slot as usize >= self.machine.global_capacity() {
                    return Err(diag::Error::new(
                        codes::TOO_MANY,
                        "there is no room for another variable",
                    ));
                }
                let constant = false;
                self.session
                    .insert(name, Earlier::Global { slot, constant });
                slot
            }
        };
        self.machine.set_global_slot(slot, value);
        Ok(())
    }

    /// The value of a variable of the session.
    pub fn variable(&self, name: &str) -> Option<Value> {
        match self.session.get(name)? {
            Earlier::Global { slot, .. } => self.machine.global_slot(*slot),
            Earlier::Import(_) => None,
        }
    }

    /// What a line of the session imported under this name.
    pub fn imported(&self, name: &str) -> Option<&Imported> {
        match self.session.get(name)? {
            Earlier::Import(imported) => Some(imported),
            Earlier::Global { .. } => None,
        }
    }

    /// What an imported module that is written in Par offers under a name.
    pub fn member(&self, of: &Imported, name: &str) -> Option<Value> {
        let member = of.members.iter().find(|member| &*member.name == name)?;
        self.machine.global_slot(member.slot?)
    }

    /// The names of the session's variables and imports.
    pub fn names(&self) -> impl Iterator<Item = &Rc<str>> {
        self.session.keys()
    }

    /// The slot for a variable of this name: a session's variable that is declared again keeps its slot, so that functions of
    /// earlier lines see the new value.
    fn slot_for(&mut self, name: &Rc<str>) -> u32 {
        if let Some(Earlier::Global { slot, .. }) = self.session.get(name) {
            return *slot;
        }
        self.new_slot()
    }

    fn new_slot(&mut self) -> u32 {
        let slot = self.next_slot;
        self.next_slot += 1;
        slot
    }

    /// The warnings of what was compiled since the last call.
    pub fn take_warnings(&mut self) -> Vec<diag::Error> {
        debug_assert!(
            self.warnings
                .iter()
                .all(|w| w.severity == Severity::Warning)
        );
        std::mem::take(&mut self.warnings)
    }
}
