// Text -> checked value, for each kind of parameter.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "src/config/parameter.h"

namespace hearth::config {
namespace {

using Words = std::span<const std::string>;
using Parsed = Result<Value, std::string>;

tl::unexpected<std::string> refuse(std::string why) { return tl::unexpected(std::move(why)); }

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += ' ';
    text += item;
  }
  return text;
}

const Choice* find_choice(std::span<const Choice> choices, std::string_view word) {
  const auto at = std::find_if(choices.begin(), choices.end(),
                               [&](const Choice& c) { return equals_ignore_case(c.word, word); });
  return at == choices.end() ? nullptr : &*at;
}

std::string not_a_choice(std::span<const Choice> choices) {
  std::string text = "argument(s) must be one of the following: ";
  for (const Choice& c : choices) text += (&c == choices.data() ? "" : ", ") + std::string(c.word);
  return text;
}

std::string out_of_range(const Type& type) {
  return "argument must be between " + std::to_string(type.min) + " and " +
         std::to_string(type.max) + " inclusive";
}

Parsed parse_bool(std::string_view word) {
  if (equals_ignore_case(word, "yes")) return Value{"yes", 1, {}};
  if (equals_ignore_case(word, "no")) return Value{"no", 0, {}};
  return refuse("argument must be 'yes' or 'no'");
}

Parsed parse_integer(const Type& type, std::string_view word) {
  const auto number = parse_int64(word);
  if (!number) return refuse("argument couldn't be parsed into an integer");
  if (*number < type.min || *number > type.max) return refuse(out_of_range(type));
  const std::int64_t kept =
      type.most > type.least ? std::clamp(*number, type.least, type.most) : *number;
  return Value{int64_text(kept), kept, {}};
}

Parsed parse_memory(const Type& type, std::string_view word) {
  const auto bytes = parse_memory_size(word);
  if (!bytes || *bytes > static_cast<std::uint64_t>(kLongMax)) {
    return refuse("argument must be a memory value");
  }
  const auto number = static_cast<std::int64_t>(*bytes);
  if (number < type.min || number > type.max) return refuse(out_of_range(type));
  return Value{int64_text(number), number, {}};
}

Parsed parse_memory_or_percent(std::string_view word) {
  if (!word.empty() && word.back() == '%') {
    const auto percent = parse_int64(word.substr(0, word.size() - 1));
    if (!percent || *percent < 0) return refuse("argument must be a memory or percent value");
    if (*percent > 100) return refuse("percentage argument must be less or equal to 100");
    return Value{int64_text(*percent) + "%", *percent, {}};
  }
  auto bytes = parse_memory(memory(), word);
  if (!bytes) return refuse("argument must be a memory or percent value");
  return bytes;
}

Parsed parse_octal(const Type& type, std::string_view word) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number, 8);
  if (error != std::errc() || end != word.data() + word.size()) {
    return refuse("argument couldn't be parsed as an octal number");
  }
  if (number < type.min || number > type.max) return refuse(out_of_range(type));
  char digits[24];
  const auto written = std::to_chars(digits, digits + sizeof digits, number, 8);
  return Value{std::string(digits, written.ptr), number, {}};
}

Parsed parse_choice(const Type& type, std::string_view word) {
  const Choice* found = find_choice(type.choices, word);
  if (found == nullptr) return refuse(not_a_choice(type.choices));
  return Value{std::string(found->word), found->value, {}};
}

Parsed parse_choice_set(const Type& type, Words words) {
  std::vector<const Choice*> chosen;
  for (const std::string& word : words) {
    const Choice* found = find_choice(type.choices, word);
    if (found == nullptr) return refuse(not_a_choice(type.choices));
    chosen.push_back(found);
  }
  if (chosen.empty()) return refuse(not_a_choice(type.choices));
  Value value;
  for (const Choice& c : type.choices) {
    if (std::find(chosen.begin(), chosen.end(), &c) != chosen.end())
      value.items.emplace_back(c.word);
  }
  value.text = joined(value.items);
  return value;
}

Parsed parse_save(Words words) {
  Value value;
  if (words.empty() || (words.size() == 1 && words[0].empty())) return value;
  if (words.size() % 2 != 0) return refuse("Invalid save parameters");
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const auto period = parse_int64(words[i]);
    const auto changes = parse_int64(words[i + 1]);
    if (!period || !changes || *period < 1 || *period > kIntMax || *changes < 0 ||
        *changes > kIntMax) {
      return refuse("Invalid save parameters");
    }
    value.items.push_back(words[i]);
    value.items.push_back(words[i + 1]);
  }
  value.text = joined(value.items);
  return value;
}

// Canonical text: all three classes, each "name hard soft seconds", in this order.
constexpr std::array<std::string_view, 3> kClientClasses{"normal", "slave", "pubsub"};

Parsed parse_buffer_limits(Words words, std::string_view current) {
  if (words.empty() || words.size() % 4 != 0) {
    return refuse("Wrong number of arguments in buffer limit configuration.");
  }
  Value value;
  value.items = split_blanks(current);
  if (value.items.empty()) {
    for (const std::string_view name : kClientClasses) {
      value.items.insert(value.items.end(), {std::string(name), "0", "0", "0"});
    }
  }
  for (std::size_t i = 0; i < words.size(); i += 4) {
    std::string_view name = words[i];
    if (equals_ignore_case(name, "replica")) name = "slave";
    const auto at = std::find_if(kClientClasses.begin(), kClientClasses.end(),
                                 [&](std::string_view c) { return equals_ignore_case(c, name); });
    if (at == kClientClasses.end()) {
      return refuse("Invalid client class specified in buffer limit configuration.");
    }
    const auto hard = parse_memory_size(words[i + 1]);
    const auto soft = parse_memory_size(words[i + 2]);
    const auto period = parse_int64(words[i + 3]);
    if (!hard || !soft || !period || *period < 0 || *period > kIntMax) {
      return refuse("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    const auto base = static_cast<std::size_t>(at - kClientClasses.begin()) * 4;
    value.items[base + 1] = std::to_string(*hard);
    value.items[base + 2] = std::to_string(*soft);
    value.items[base + 3] = std::to_string(*period);
  }
  value.text = joined(value.items);
  return value;
}

Parsed parse_percentiles(Words words) {
  Value value;
  if (words.size() == 1 && words[0].empty()) return value;
  for (const std::string& word : words) {
    const auto number = parse_double(word);
    if (!number) return refuse("Invalid latency-tracking-info-percentiles parameters");
    if (*number < 0 || *number > 100) {
      return refuse("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
    value.items.push_back(double_text(*number));
  }
  value.text = joined(value.items);
  return value;
}

Parsed parse_scores(Words words) {
  if (words.size() != 3) return refuse("wrong number of arguments");
  Value value;
  std::array<std::int64_t, 3> scores{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = parse_int64(words[i]);
    if (!number || *number < -2000 || *number > 2000) {
      return refuse("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
    scores[i] = *number;
    value.items.push_back(words[i]);
  }
  if (scores[1] < scores[0] || scores[2] < scores[1]) {
    return refuse("Invalid oom-score-adj-values, elements must not decrease.");
  }
  value.text = joined(value.items);
  return value;
}

// The letters that "A" stands for, in canonical order; then those that stand alone.
constexpr std::string_view kAllEvents = "g$lshzxetd";
constexpr std::string_view kOtherEvents = "KEmn";

Parsed parse_event_classes(std::string_view word) {
  std::string set;
  for (const char c : word) {
    if (c == 'A') {
      set += kAllEvents;
    } else if (kAllEvents.find(c) != std::string_view::npos ||
               kOtherEvents.find(c) != std::string_view::npos) {
      set += c;
    } else {
      return refuse("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    }
  }
  const auto chosen = [&](char c) { return set.find(c) != std::string::npos; };
  Value value;
  if (std::all_of(kAllEvents.begin(), kAllEvents.end(), chosen)) {
    value.text = "A";
  } else {
    std::copy_if(kAllEvents.begin(), kAllEvents.end(), std::back_inserter(value.text), chosen);
  }
  std::copy_if(kOtherEvents.begin(), kOtherEvents.end(), std::back_inserter(value.text), chosen);
  return value;
}

// A name or an address: what stands between blanks in a configuration file.
bool is_host(std::string_view word) {
  constexpr std::size_t kHostMost = 255;
  return !word.empty() && word.size() <= kHostMost &&
         std::none_of(word.begin(), word.end(), [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '"' || c == '\'';
         });
}

Parsed parse_primary(Words words) {
  if (words.size() == 1 && words[0].empty()) return Value{};
  if (words.size() != 2) return refuse("wrong number of arguments");
  if (equals_ignore_case(words[0], "no") && equals_ignore_case(words[1], "one")) return Value{};
  if (!is_host(words[0])) return refuse("Invalid primary host");
  const auto port = parse_int64(words[1]);
  if (!port || *port < 0 || *port > 65535) return refuse("Invalid primary port");
  Value value;
  value.items = {words[0], words[1]};
  value.text = joined(value.items);
  value.number = *port;
  return value;
}

Parsed parse_words(const Type& type, Words words) {
  Value value;
  for (const std::string& word : words) {
    if (!word.empty()) value.items.push_back(word);
  }
  value.text = joined(value.items);
  if (type.check != nullptr) {
    if (const char* why = type.check(value.text)) return refuse(why);
  }
  return value;
}

}  // namespace

std::vector<std::string> split_blanks(std::string_view text) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (i < text.size()) {
    while (i < text.size() && text[i] == ' ') ++i;
    const std::size_t start = i;
    while (i < text.size() && text[i] != ' ') ++i;
    if (i > start) words.emplace_back(text.substr(start, i - start));
  }
  return words;
}

bool takes_many_words(Kind kind) {
  switch (kind) {
    case Kind::kChoiceSet:
    case Kind::kWords:
    case Kind::kSave:
    case Kind::kBufferLimits:
    case Kind::kPercentiles:
    case Kind::kScores:
    case Kind::kPrimary:
    case Kind::kLines: return true;
    default: return false;
  }
}

Result<Value, std::string> parse_value(const Type& type, Words words, std::string_view current) {
  // The canonical text has blanks between words and none in them.
  std::vector<std::string> split;
  const auto has_blank = [](const std::string& word) {
    return word.find(' ') != std::string::npos;
  };
  if (takes_many_words(type.kind) && type.kind != Kind::kLines &&
      std::any_of(words.begin(), words.end(), has_blank)) {
    for (const std::string& word : words) {
      for (std::string& part : split_blanks(word)) split.push_back(std::move(part));
    }
    words = split;
  }
  switch (type.kind) {
    case Kind::kChoiceSet: {
      auto value = parse_choice_set(type, words);
      if (value && type.check != nullptr) {
        if (const char* why = type.check(value->text)) return refuse(why);
      }
      return value;
    }
    case Kind::kWords: return parse_words(type, words);
    case Kind::kSave: return parse_save(words);
    case Kind::kBufferLimits: return parse_buffer_limits(words, current);
    case Kind::kPercentiles: return parse_percentiles(words);
    case Kind::kScores: return parse_scores(words);
    case Kind::kPrimary: return parse_primary(words);
    case Kind::kLines: return Value{{}, 0, {words.begin(), words.end()}};
    default: break;
  }

  if (words.size() != 1) return refuse("wrong number of arguments");
  const std::string& word = words[0];
  Parsed value = Value{word, 0, {}};
  switch (type.kind) {
    case Kind::kBool: value = parse_bool(word); break;
    case Kind::kInteger: value = parse_integer(type, word); break;
    case Kind::kMemory: value = parse_memory(type, word); break;
    case Kind::kMemoryOrPercent: value = parse_memory_or_percent(word); break;
    case Kind::kOctal: value = parse_octal(type, word); break;
    case Kind::kChoice: value = parse_choice(type, word); break;
    case Kind::kEventClasses: value = parse_event_classes(word); break;
    default: break;
  }
  if (value && type.check != nullptr) {
    if (const char* why = type.check(value->text)) return refuse(why);
  }
  return value;
}

}  // namespace hearth::config
