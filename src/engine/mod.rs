//! Par inside another program: [`Engine`].
//!
//! Imports `driver`, `vm`, `value`, `diag`, `source`, `limits`. **Invariant:** nothing of the command line is needed here, and
//! no value of a script leaves an engine except as Rust data: what a collection may free cannot be held.

mod capture;
pub mod convert;
pub mod data;
mod error;
pub mod host;

pub use convert::{FromValue, Mismatch, ToValue};
pub use data::Data;
pub use error::{Call, Error, Location};
pub use host::{Arguments, HostFunction, HostResult};

use crate::check::Mode;
use crate::diag::{self, codes};
use crate::driver::{Driver, Program};
use crate::process::finish;
use crate::value::Value;
use crate::value::native::{Fault, HostFn, Outcome};
use capture::Capture;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the methods of an engine return.
pub type Result<T> = std::result::Result<T, Error>;

/// A compiled script of one engine: run it as often as you like with [`Engine::run`].
#[derive(Clone)]
pub struct Script(Program);

/// An interpreter with its own heap, variables and modules.
///
/// All scripts of one engine share their top-level variables, as the lines at the prompt do: what one declares, the next
/// can use, and the host reads and writes them with [`get`](Engine::get) and [`set`](Engine::set).
///
/// ```
/// let mut engine = par::Engine::new();
/// engine.function("shout", |text: String| text.to_uppercase() + "!");
/// engine.set("name", "ann")?;
/// let greeting: String = engine.eval(r#"shout("hi {name}")"#)?;
/// assert_eq!(greeting, "HI ANN!");
///
/// engine.eval::<()>("fn area(width, height = 1) { width * height }")?;
/// let area: i64 = engine.call("area", (6, 7))?;
/// assert_eq!(area, 42);
/// # Ok::<(), par::Error>(())
/// ```
///
/// An engine stays on the thread that made it. Scripts that spawn fork the whole host program, which must then have no
/// other thread: a `spawn` in a host with several threads raises an error that says so.
pub struct Engine {
    driver: Driver,
    out: Option<Capture>,
    err: Option<Capture>,
    /// Steps that each run and each call may take.
    steps: Option<u64>,
}

impl Default for Engine {
    fn default() -> Self {
        Engine::new()
    }
}

impl Engine {
    /// An engine in which nothing has run.
    pub fn new() -> Engine {
        let driver = Driver::new();
        tell_failures_to(&driver, std::io::stderr);
        Engine {
            driver,
            out: None,
            err: None,
            steps: None,
        }
    }

    /// Compiles a text; `name` is what errors call it. Imports of files are relative to the current folder.
    ///
    /// # Errors
    /// Everything that is wrong with it: the first as the error itself, the rest as [`Error::others`].
    pub fn compile(&mut self, name: &str, text: &str) -> Result<Script> {
        let source = self.driver.add(name, text);
        let compiled = self.driver.compile(&source, Mode::Prompt, None);
        compiled.map(Script).map_err(|errors| self.several(errors))
    }

    /// Compiles a file; its imports are relative to its own folder.
    ///
    /// # Errors
    /// It cannot be read, or as [`Engine::compile`].
    pub fn compile_file(&mut self, path: impl AsRef<Path>) -> Result<Script> {
        let path = path.as_ref();
        let source = self.driver.load(path).map_err(|error| self.one(error))?;
        let compiled = self.driver.compile(&source, Mode::Prompt, Some(path));
        compiled.map(Script).map_err(|errors| self.several(errors))
    }

    /// Runs a script; the result is the value of its last expression.
    ///
    /// ```
    /// let mut engine = par::Engine::new();
    /// engine.set("runs", 0)?;
    /// let script = engine.compile("count.par", "runs += 1")?;
    /// for _ in 0..3 {
    ///     engine.run::<()>(&script)?;
    /// }
    /// assert_eq!(engine.get::<i64>("runs")?, 3);
    /// # Ok::<(), par::Error>(())
    /// ```
    ///
    /// # Errors
    /// What the script did not catch, its `exit`, or a result that is no `T`.
    pub fn run<T: FromValue>(&mut self, script: &Script) -> Result<T> {
        self.refuel();
        let outcome = self.driver.run(&script.0);
        self.take(outcome)
    }

    /// Compiles and runs a text once.
    ///
    /// # Errors
    /// As [`Engine::compile`] and [`Engine::run`].
    pub fn eval<T: FromValue>(&mut self, text: &str) -> Result<T> {
        let script = self.compile("<eval>", text)?;
        self.run(&script)
    }

    /// Calls a function that a script declared.
    ///
    /// # Errors
    /// There is no such function, what it did not catch, or a result that is no `T`.
    pub fn call<T: FromValue>(&mut self, name: &str, args: impl Arguments) -> Result<T> {
        let function = self.variable(name)?;
        let args = args.into_values(self.driver.machine().heap());
        let args = args.map_err(|wrong| self.wrong(name, &wrong))?;
        self.refuel();
        let outcome = self.driver.machine().call_value(function, &args);
        self.take(outcome)
    }

    /// Sets a top-level variable; it need not have been declared.
    ///
    /// # Errors
    /// The value does not fit Par's numbers, or there are too many variables.
    pub fn set(&mut self, name: &str, value: impl ToValue) -> Result<()> {
        let value = value.to_value(self.driver.machine().heap());
        let value = value.map_err(|wrong| self.wrong(name, &wrong))?;
        let set = self.driver.set_variable(name, value);
        set.map_err(|error| self.one(error))
    }

    /// The value of a top-level variable.
    ///
    /// # Errors
    /// There is no such variable, or it holds no `T`.
    pub fn get<T: FromValue>(&mut self, name: &str) -> Result<T> {
        let value = self.variable(name)?;
        T::from_value(value).map_err(|wrong| self.wrong(name, &wrong))
    }

    /// Registers a closure that scripts call by this name; see [`HostFunction`] for what it may take and return. An `Err` of
    /// it is an error that the script can catch.
    ///
    /// ```
    /// let mut engine = par::Engine::new();
    /// engine.function("port", |text: String| text.parse::<u16>());
    /// assert_eq!(engine.eval::<u16>(r#"port("8080")"#)?, 8080);
    /// assert_eq!(engine.eval::<i64>(r#"port("many") rescue -1"#)?, -1);
    /// # Ok::<(), par::Error>(())
    /// ```
    pub fn function<Args, F: HostFunction<Args>>(&mut self, name: &str, function: F) {
        let shared: Rc<str> = name.into();
        let code = function.into_code(shared.clone());
        let heap = self.driver.machine().heap();
        let function = HostFn::new(heap, shared, Some(F::ARITY), code);
        // Only a program with as many variables as slots fails here; its next script reports that.
        let _ = self.driver.set_variable(name, Value::Host(function));
    }

    /// What scripts see as `args`.
    pub fn set_arguments(&mut self, arguments: Vec<String>) {
        self.driver.machine().hooks.arguments = arguments;
    }

    /// From now on keeps what scripts print, to be had with [`Engine::take_output`] and [`Engine::take_errors`], instead of
    /// writing it to the program's own output. What spawned processes print is kept too.
    ///
    /// ```
    /// let mut engine = par::Engine::new();
    /// engine.capture_output()?;
    /// engine.eval::<()>(r#"print("hello")"#)?;
    /// assert_eq!(engine.take_output(), "hello\n");
    /// # Ok::<(), par::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system has no memory for it.
    pub fn capture_output(&mut self) -> Result<()> {
        let out = Capture::new().map_err(|error| self.one(error))?;
        let err = Capture::new().map_err(|error| self.one(error))?;
        let hooks = &mut self.driver.machine().hooks;
        hooks.out = Some(Box::new(out.writer()));
        hooks.err = Some(Box::new(err.writer()));
        let writer = err.writer();
        tell_failures_to(&self.driver, move || writer.clone());
        (self.out, self.err) = (Some(out), Some(err));
        Ok(())
    }

    /// What scripts have printed since the last call; empty unless output is captured.
    pub fn take_output(&mut self) -> String {
        self.out.as_mut().map(Capture::take).unwrap_or_default()
    }

    /// What scripts have written to standard error since the last call; empty unless output is captured.
    pub fn take_errors(&mut self) -> String {
        self.err.as_mut().map(Capture::take).unwrap_or_default()
    }

    /// The most steps (calls and turns of loops) that each run and each call may take; past them the script gets a
    /// `LimitExceeded` error.
    ///
    /// ```
    /// let mut engine = par::Engine::new();
    /// engine.limit_steps(10_000);
    /// let error = engine.eval::<()>("while true { }").unwrap_err();
    /// assert_eq!(error.kind(), "LimitExceeded");
    /// # Ok::<(), par::Error>(())
    /// ```
    pub fn limit_steps(&mut self, steps: u64) {
        self.steps = Some(steps);
    }

    /// The most memory that the scripts' values may take together, in bytes.
    pub fn limit_memory(&mut self, bytes: usize) {
        self.driver.machine().set_memory_limit(bytes);
    }

    /// How deep the calls of a script may nest.
    pub fn limit_depth(&mut self, calls: usize) {
        self.driver.machine().set_depth_limit(calls);
    }

    /// A handle to stop what runs in this engine from another thread.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.driver.interrupt_flag())
    }

    /// The warnings of what was compiled since the last call.
    pub fn take_warnings(&mut self) -> Vec<Error> {
        let warnings = self.driver.take_warnings();
        let warning = |warning: diag::Error| self.one(Box::new(warning));
        warnings.into_iter().map(warning).collect()
    }

    fn refuel(&mut self) {
        if self.steps.is_some() {
            self.driver.machine().set_fuel(self.steps);
        }
    }

    fn variable(&self, name: &str) -> Result<Value> {
        self.driver.variable(name).ok_or_else(|| {
            let names = self.driver.names().map(|name| &**name);
            let mut error = diag::Error::new(codes::UNKNOWN_NAME, format!("unknown name `{name}`"));
            error.help = diag::did_you_mean(name, names);
            self.one(error)
        })
    }

    fn take<T: FromValue>(&self, outcome: Outcome) -> Result<T> {
        match outcome {
            Ok(value) => T::from_value(value).map_err(|wrong| self.wrong("the result", &wrong)),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    fn fault(&self, fault: Fault) -> Error {
        let exit = match fault {
            Fault::Exit(code) => Some(code),
            _ => None,
        };
        Error::new(crate::vm::report(fault), self.driver.sources(), exit)
    }

    fn wrong(&self, what: &str, wrong: &Mismatch) -> Error {
        self.one(diag::Error::new(codes::TYPE, format!("{what}: {wrong}")))
    }

    fn one(&self, error: Box<diag::Error>) -> Error {
        Error::new(error, self.driver.sources(), None)
    }

    fn several(&self, errors: Vec<diag::Error>) -> Error {
        Error::several(errors, self.driver.sources())
    }
}

/// Ends what the engine's scripts have spawned as the end of a script does: waits for the processes that are no daemons, and
/// ends the daemons.
impl Drop for Engine {
    fn drop(&mut self) {
        finish::end_children();
    }
}

/// Failures of processes that no script joins are reported there.
fn tell_failures_to<W: std::io::Write>(driver: &Driver, open: impl Fn() -> W + 'static) {
    driver.tell_failures_by(Rc::new(move |error, sources| {
        let text = diag::render(error, sources, diag::Style::PLAIN);
        // Whoever closed the output does not want to know.
        let _ = open().write_all(text.as_bytes());
    }));
}

/// Stops what runs in an engine; obtained from [`Engine::interrupter`], used from any thread.
///
/// ```
/// let mut engine = par::Engine::new();
/// let interrupter = engine.interrupter();
/// let watcher = std::thread::spawn(move || interrupter.interrupt());
/// let error = engine.eval::<()>("while true { }").unwrap_err();
/// assert_eq!(error.kind(), "Interrupted");
/// # watcher.join().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<AtomicBool>);

impl Interrupter {
    /// The script that runs, or else the next one to run, gets an `Interrupted` error at its next step.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
