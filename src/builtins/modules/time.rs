//! `time`: clocks, and times of the calendar in the local time zone or in UTC.

use super::durations;
use crate::builtins::{Module, Table, arguments, control};
use crate::diag::{self, codes};
use crate::value::map::{Map, Table as Entries};
use crate::value::native::{Args, Context, Outcome};
use crate::value::{Value, show, text};
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use std::time::Duration;

/// The module.
pub static MODULE: Module = Module {
    name: "time",
    doc: "Clocks, and times of the calendar.",
    functions: FUNCTIONS,
    constants: &[],
};

static FUNCTIONS: Table = natives! {
    "duration" ("seconds") durations::show, "A span of time as text: 1h 2m 3s, 2.5s, 10ms.";
    "gmtime" ("seconds?") gmtime, "The parts of a time (now when none is given) in UTC, as a map.";
    "iso" ("seconds?", "zone?") iso, "A time (now when none is given) in the local time zone or another as text: 2026-11-21T13:40:00+01:00.";
    "localtime" ("seconds?", "zone?") localtime, "The parts of a time (now when none is given) in the local time zone or another, as a map.";
    "monotonic" () monotonic, "Seconds of a clock that never goes back; only differences mean something.";
    "monotonic_ns" () monotonic_ns, "Nanoseconds of a clock that never goes back.";
    "now" ("zone?") now, "The parts of the present time, in a time zone such as \"Europe/Vienna\" or \"UTC\", as a map.";
    "parse" ("text") parse, "The seconds since 1970 of a time as iso writes it, with a zone (Z, +01:00) or in the local one; the time of day may be missing.";
    "parse_duration" ("text") durations::parse, "The seconds of a span such as 90s, 1h30m or 1d 2h.";
    "perf_counter" () monotonic, "Seconds of a clock that never goes back; only differences mean something.";
    "sleep" ("seconds") control::sleep, "Waits so many seconds.";
    "strftime" ("format", "seconds?", "zone?") strftime, "A time (now when none is given) in the local time zone or another as text in a format such as \"%Y-%m-%d %H:%M\".";
    "strptime" ("text", "format") strptime, "The seconds since 1970 of a text in a format; without a zone in it the local one is meant.";
    "time" () time, "Seconds since the start of 1970 in UTC.";
    "time_ns" () time_ns, "Nanoseconds since the start of 1970 in UTC.";
    "timestamp" ("parts", "zone?") timestamp, "The seconds since 1970 of a map of year, month, day, hour, minute, second, microsecond (what is left out is as small as it can be), in the local time zone or another.";
};

fn since_1970() -> Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
}

fn time(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Float(since_1970().as_secs_f64()))
}

fn time_ns(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Int(
        i64::try_from(since_1970().as_nanos()).unwrap_or(i64::MAX),
    ))
}

fn monotonic(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Float(crate::os::clock::now() as f64 / 1e9))
}

fn monotonic_ns(_: &mut dyn Context, _: Args<'_>) -> Outcome {
    Ok(Value::Int(
        i64::try_from(crate::os::clock::now()).unwrap_or(i64::MAX),
    ))
}

/// The instant of an optional argument, in seconds since 1970; now without one.
fn instant(name: &str, value: &Value) -> Outcome<Timestamp> {
    let Some(value) = arguments::given(value) else {
        return Ok(Timestamp::now());
    };
    let refuse = || {
        arguments::refuse(
            name,
            "seconds",
            "must be a time of the years -9999 to 9999",
            value,
        )
    };
    let nanoseconds = match value {
        Value::Int(seconds) => i128::from(*seconds) * 1_000_000_000,
        value => {
            let seconds = arguments::number(name, "seconds", value)?;
            if !seconds.is_finite() || seconds.abs() > 1e12 {
                return Err(refuse());
            }
            // Floats of today's size are exact to about a quarter of a microsecond: the rest would be noise.
            (seconds * 1e6).round() as i128 * 1000
        }
    };
    Timestamp::from_nanosecond(nanoseconds).map_err(|_| refuse())
}

fn parts(context: &mut dyn Context, time: &Zoned) -> Value {
    let heap = context.heap();
    let zone = time
        .time_zone()
        .to_offset_info(time.timestamp())
        .abbreviation()
        .to_string();
    let numbers = [
        ("year", i64::from(time.year())),
        ("month", i64::from(time.month())),
        ("day", i64::from(time.day())),
        ("hour", i64::from(time.hour())),
        ("minute", i64::from(time.minute())),
        ("second", i64::from(time.second())),
        ("microsecond", i64::from(time.subsec_nanosecond() / 1000)),
        // Monday is 0, as in Python.
        ("weekday", i64::from(time.weekday().to_monday_zero_offset())),
        ("yearday", i64::from(time.day_of_year())),
        ("offset", i64::from(time.offset().seconds())),
    ];
    let mut table = Entries::default();
    for (name, number) in numbers {
        table.insert(Value::str(heap, name), Value::Int(number));
    }
    let zone = Value::str(heap, &zone);
    table.insert(Value::str(heap, "zone"), zone);
    let seconds = time.timestamp().as_microsecond() as f64 / 1e6;
    table.insert(Value::str(heap, "timestamp"), Value::Float(seconds));
    Value::Map(Map::new(heap, table))
}

fn gmtime(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let time = instant("gmtime", &args[0])?.to_zoned(TimeZone::UTC);
    Ok(parts(context, &time))
}

fn localtime(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let time = instant("localtime", &args[0])?.to_zoned(zone("localtime", &args[1])?);
    Ok(parts(context, &time))
}

/// The time zone of an optional argument; the local one without it.
fn zone(name: &str, value: &Value) -> Outcome<TimeZone> {
    let Some(value) = arguments::given(value) else {
        return Ok(TimeZone::system());
    };
    let zone = TimeZone::get(arguments::text(name, "zone", value)?);
    zone.map_err(|_| {
        let rule = "must be a time zone such as \"Europe/Vienna\"";
        arguments::refuse(name, "zone", rule, value)
    })
}

fn now(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let zone = zone("now", &args[0])?;
    Ok(parts(context, &Timestamp::now().to_zoned(zone)))
}

fn iso(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let time = instant("iso", &args[0])?.to_zoned(zone("iso", &args[1])?);
    // The fraction only where there is one.
    let text = time.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string();
    Ok(Value::str(context.heap(), &text))
}

/// What a time also has and what follows from the rest.
const FOLLOWING: [&str; 5] = ["weekday", "yearday", "offset", "zone", "timestamp"];

fn timestamp(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let map = arguments::map("timestamp", "parts", &args[0])?;
    let refuse = || {
        let rule = "must be a date and a time of the calendar";
        arguments::refuse("timestamp", "parts", rule, &args[0])
    };
    let mut numbers = [0, 1, 1, 0, 0, 0, 0];
    let names = [
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "microsecond",
    ];
    let mut dated = false;
    for (key, value) in map.table().iter() {
        let Some(at) = names.iter().position(|name| key.as_str() == Some(name)) else {
            if key.as_str().is_some_and(|name| FOLLOWING.contains(&name)) {
                continue;
            }
            let message = format!(
                "timestamp: a key of `parts` must be one of {}, but is {}",
                names.join(", "),
                show::repr(key)
            );
            return Err(diag::Error::new(codes::VALUE, message).into());
        };
        dated |= at == 0;
        if let Some(number) = numbers.get_mut(at) {
            *number = arguments::int("timestamp", names.get(at).unwrap_or(&""), &value)?;
        }
    }
    if !dated {
        let rule = "must have a year";
        return Err(arguments::refuse("timestamp", "parts", rule, &args[0]));
    }
    let [year, month, day, hour, minute, second, microsecond] = numbers;
    let small = |number: i64| i8::try_from(number).map_err(|_| refuse());
    let time = jiff::civil::DateTime::new(
        i16::try_from(year).map_err(|_| refuse())?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        i32::try_from(microsecond.saturating_mul(1000)).map_err(|_| refuse())?,
    );
    let zone = zone("timestamp", &args[1])?;
    let zoned = time.and_then(|time| time.to_zoned(zone));
    let instant = zoned.map_err(|_| refuse())?.timestamp();
    Ok(Value::Float(instant.as_microsecond() as f64 / 1e6))
}

fn parse(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("parse", "text", &args[0])?.trim();
    let local = || {
        let time = text.parse::<jiff::civil::DateTime>();
        time.and_then(|time| time.to_zoned(TimeZone::system()))
            .map(|time| time.timestamp())
    };
    let zoned = || text.parse::<Zoned>().map(|time| time.timestamp());
    let parsed = text.parse::<Timestamp>().or_else(|_| zoned());
    match parsed.or_else(|_| local()) {
        Ok(instant) => Ok(Value::Float(instant.as_microsecond() as f64 / 1e6)),
        Err(_) => {
            let rule = "must be a time such as \"2026-11-21T13:40:00+01:00\" or \"2026-11-21\"";
            Err(arguments::refuse("parse", "text", rule, &args[0]))
        }
    }
}

fn strftime(context: &mut dyn Context, args: Args<'_>) -> Outcome {
    let format = arguments::text("strftime", "format", &args[0])?;
    let time = instant("strftime", &args[1])?.to_zoned(zone("strftime", &args[2])?);
    // A fraction has six digits, as in Python, so that texts are in the order of their times.
    let format = with_directive(format, "%f", "%6f");
    let config = Config::new().custom(PosixCustom::new());
    match BrokenDownTime::from(&time).to_string_with_config(&config, format) {
        Ok(shown) => text::checked(context.heap(), shown),
        Err(_) => Err(arguments::refuse(
            "strftime",
            "format",
            "must have only known directives",
            &args[0],
        )),
    }
}

/// A format with another text in the place of a directive. A percent sign that stands for itself takes no part in one.
fn with_directive(format: &str, directive: &str, other: &str) -> String {
    let parts = format
        .split("%%")
        .map(|part| part.replace(directive, other));
    parts.collect::<Vec<_>>().join("%%")
}

/// Reads a time. A zone (`%z`) may be written `+0100`, `+01:00` or `Z`, its name (`%Z`) `UTC` or `GMT`.
fn broken_down(format: &str, text: &str) -> Option<BrokenDownTime> {
    if let Ok(time) = BrokenDownTime::parse(format, text) {
        return Some(time);
    }
    if let Ok(time) = BrokenDownTime::parse(with_directive(format, "%z", "%:z"), text) {
        return Some(time);
    }
    let names = [("%z", "Z"), ("%Z", "UTC"), ("%Z", "GMT")];
    let formats = names.map(|(directive, name)| with_directive(format, directive, name));
    formats.iter().find_map(|universal| {
        let mut time = BrokenDownTime::parse(universal, text).ok()?;
        time.set_offset(Some(jiff::tz::Offset::UTC));
        Some(time)
    })
}

/// Fills up what a format leaves out, as Python does: the first of January 1900, midnight.
fn fill_up(time: &mut BrokenDownTime) -> Result<(), jiff::Error> {
    if time.timestamp().is_some() {
        return Ok(());
    }
    let is_without_year = time.year().is_none() && time.iso_week_year().is_none();
    if is_without_year {
        time.set_year(Some(1900))?;
    }
    let is_a_week = time.iso_week().is_some()
        || time.sunday_based_week().is_some()
        || time.monday_based_week().is_some();
    if !is_a_week && time.day_of_year().is_none() {
        time.set_month(time.month().or(Some(1)))?;
        time.set_day(time.day().or(Some(1)))?;
    }
    if !is_a_week && is_without_year {
        // It says nothing about a day that nobody named.
        time.set_weekday(None);
    }
    let (minute, second) = (time.minute(), time.second());
    let has_fraction = time.subsec_nanosecond().is_some();
    if time.hour().is_none() && (minute.is_some() || second.is_some() || has_fraction) {
        time.set_hour(Some(0))?;
    }
    if minute.is_none() && (second.is_some() || has_fraction) {
        time.set_minute(Some(0))?;
    }
    if second.is_none() && has_fraction {
        time.set_second(Some(0))?;
    }
    Ok(())
}

fn strptime(_: &mut dyn Context, args: Args<'_>) -> Outcome {
    let text = arguments::text("strptime", "text", &args[0])?;
    let format = arguments::text("strptime", "format", &args[1])?;
    let refuse = || {
        let rule = format!(
            "must be a time in the format {}",
            crate::value::show::quoted(format)
        );
        arguments::refuse("strptime", "text", &rule, &args[0])
    };
    let mut parsed = broken_down(format, text).ok_or_else(refuse)?;
    fill_up(&mut parsed).map_err(|_| refuse())?;
    let instant = match parsed.to_timestamp() {
        Ok(instant) => instant,
        Err(_) => {
            let time = parsed
                .to_datetime()
                .or_else(|_| parsed.to_date().map(Into::into));
            let local =
                time.and_then(|time: jiff::civil::DateTime| time.to_zoned(TimeZone::system()));
            local.map_err(|_| refuse())?.timestamp()
        }
    };
    Ok(Value::Float(instant.as_microsecond() as f64 / 1e6))
}
