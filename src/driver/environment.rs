//! What the checker is told of a text's surroundings.

use super::Driver;
use crate::builtins;
use crate::check::{Earlier, Environment, Imported, Mode};
use crate::diag;
use crate::syntax::ast::ImportPath;
use std::rc::Rc;

/// The surroundings of one text.
pub(super) struct Surroundings<'a> {
    driver: &'a mut Driver,
    mode: Mode,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(driver: &'a mut Driver, mode: Mode) -> Surroundings<'a> {
        Surroundings { driver, mode }
    }

    /// Only lines at the prompt see what earlier ones declared: a script and a module stand for themselves.
    fn sees_session(&self) -> bool {
        self.mode == Mode::Prompt
    }
}

impl Environment for Surroundings<'_> {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn builtin(&self, name: &str) -> Option<&'static [&'static str]> {
        builtins::function(name).map(|native| native.params)
    }

    fn builtin_names(&self) -> Vec<Rc<str>> {
        let names = builtins::function_names();
        names.into_iter().map(Rc::from).collect()
    }

    fn module_names(&self) -> Vec<Rc<str>> {
        super::imports::standard_names()
    }

    fn import(&mut self, path: &ImportPath) -> diag::Result<Imported> {
        match path {
            ImportPath::File(path, span) => self.driver.import_file(path, *span),
            ImportPath::Standard(name, _) => self.driver.import_standard(name),
        }
    }

    fn earlier(&self, name: &str) -> Option<Earlier> {
        if !self.sees_session() {
            return None;
        }
        self.driver.session.get(name).cloned()
    }

    fn earlier_names(&self) -> Vec<Rc<str>> {
        if !self.sees_session() {
            return Vec::new();
        }
        self.driver.names().cloned().collect()
    }

    fn kinds(&self) -> Vec<Rc<str>> {
        self.driver.kinds.clone()
    }

    fn new_global(&mut self, name: &Rc<str>) -> u32 {
        match self.mode {
            Mode::Prompt => self.driver.slot_for(name),
            Mode::Script | Mode::Module => self.driver.new_slot(),
        }
    }
}
