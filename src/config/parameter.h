// A parameter: its names, how its text is checked, where its value goes.
//
// The tables of params_*.cc are the only list of parameters. CONFIG GET/SET/REWRITE, the file and
// command line parser and conf/hearth.conf are derived from them.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "src/base/result.h"
#include "src/config/settings.h"

namespace hearth::config {

enum class Kind : unsigned char {
  kBool,
  kInteger,
  kMemory,           // "64mb"; canonical: bytes
  kMemoryOrPercent,  // "64mb" or "5%"
  kOctal,
  kChoice,     // one of `choices`
  kChoiceSet,  // several of `choices`; canonical in their order
  kText,       // one argument, any bytes unless `check` says otherwise
  kWords,      // any number of arguments
  kSave,       // pairs of seconds and changes
  kBufferLimits,
  kPercentiles,
  kScores,  // three integers, oom-score-adj-values
  kEventClasses,
  kPrimary,  // host port, or "no one"
  kLines,    // repeated directive that is not a value: user, rename-command, loadmodule
};

enum class Flag : unsigned {
  kNone = 0,
  kImmutable = 1,  // only in the file or on the command line
  kProtected = 2,  // CONFIG SET only as enable-protected-configs allows
  kHidden = 4,     // CONFIG GET only by its exact name; not in hearth.conf
  kSensitive = 8,  // never logged
  kNoEffect = 16,  // accepted and stored for compatibility
  kNotWhileLoading = 32,
  kAlwaysApply = 64,  // the hook runs even if the text did not change
};
constexpr Flag operator|(Flag a, Flag b) {
  return static_cast<Flag>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(Flag set, Flag flag) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(flag)) != 0;
}

// A checked value. `text` is the canonical form: what CONFIG GET prints and what reads back as the
// same value.
struct Value {
  std::string text;
  std::int64_t number = 0;         // bool, integer, memory, octal, value of the choice
  std::vector<std::string> items;  // words, numbers of a list, chosen words
};

// One word of a kChoice or kChoiceSet, and the value that it stands for.
struct Choice {
  std::string_view word;
  std::int64_t value = 0;
};

// Null if the text is acceptable, else why not.
using Check = const char* (*)(std::string_view text);
using Assign = void (*)(Settings& settings, const Value& value);

struct Type {
  Kind kind = Kind::kText;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::span<const Choice> choices{};
  Check check = nullptr;
  // kInteger: a number outside is taken for the nearer end. 0, 0: as it is.
  std::int64_t least = 0;
  std::int64_t most = 0;
};

struct Parameter {
  std::string_view name;
  std::string_view alias;  // the other spelling; empty if there is none
  Type type;
  std::string_view default_text;  // canonical
  Flag flags = Flag::kNone;
  Assign assign = nullptr;  // null: stored only
  std::string_view doc;     // one or two sentences
};

struct Section {
  std::string_view title;
  std::span<const Parameter> parameters;
};

// Every parameter, in the order of hearth.conf. Constant data.
[[nodiscard]] std::span<const Section> sections();

// Checks the words behind a directive or of CONFIG SET.
//   current   the present canonical text; kBufferLimits changes only the classes that are named
//   returns   the value, or the reason in words for the client (no "ERR", no full stop)
[[nodiscard]] Result<Value, std::string> parse_value(const Type& type,
                                                     std::span<const std::string> words,
                                                     std::string_view current);
// The words of a canonical text of several.
[[nodiscard]] std::vector<std::string> split_blanks(std::string_view text);
// True for kinds whose value is several words (arguments with blanks are split at them).
[[nodiscard]] bool takes_many_words(Kind kind);

// Notation for the tables.
inline constexpr std::int64_t kIntMax = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int64_t kLongMax = std::numeric_limits<std::int64_t>::max();

constexpr Type boolean() { return {.kind = Kind::kBool}; }
constexpr Type integer(std::int64_t min, std::int64_t max) {
  return {.kind = Kind::kInteger, .min = min, .max = max};
}
constexpr Type memory(std::int64_t min = 0, std::int64_t max = kLongMax) {
  return {.kind = Kind::kMemory, .min = min, .max = max};
}
// Of a parameter that has a field: choice<&Settings::field>() in choices.h.
constexpr Type choice(std::span<const Choice> choices) {
  return {.kind = Kind::kChoice, .choices = choices};
}
constexpr Type text(Check check = nullptr) { return {.kind = Kind::kText, .check = check}; }

template <typename T>
struct MemberOf;
template <typename T>
struct MemberOf<T Settings::*> {
  using type = T;
};

// Stores a value in one field, whatever its type: numbers, enums, durations, text, words.
template <auto Member>
void put(Settings& settings, const Value& value) {
  using T = typename MemberOf<decltype(Member)>::type;
  if constexpr (std::is_same_v<T, std::string>) {
    settings.*Member = value.text;
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    settings.*Member = value.items;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    settings.*Member = static_cast<T>(value.number);
  } else {
    settings.*Member = T{value.number};
  }
}

}  // namespace hearth::config
