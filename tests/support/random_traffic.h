// RandomTraffic: what clients may do to a data set, at random: single commands and transactions,
// values moved by DUMP and RESTORE, rows imported, and time that passes. A crowd of keys comes,
// with short lives, and goes, so that tables grow, overflow and join while commands look into them.
#pragma once

#include <map>
#include <string>

#include "src/proto/reply_parser.h"
#include "tests/support/command_generator.h"
#include "tests/support/mirror.h"

namespace hearth::test {

class RandomTraffic {
 public:
  RandomTraffic(Mirror& mirror, Choices& choices)
      : mirror_(mirror),
        choices_(choices),
        generator_(mirror.first().table(), choices, mirror.now(),
                   {.displaces_one_of = 6, .crowd = kCrowd}) {}

  [[nodiscard]] CommandGenerator& generator() { return generator_; }
  // One step; what was asked last is in last().
  void step() {
    generator_.set_now(mirror_.now());
    switch (choices_.below(24)) {
      case 0: return transaction();
      case 1: return move_value();
      case 2: return pass_time();
      case 3: return import_row();
      case 4: return crowd();
      default: run(generator_.next());
    }
  }
  [[nodiscard]] const std::string& last() const { return last_; }
  // How often each command was answered without an error, by full name.
  [[nodiscard]] const std::map<std::string, int>& answers() const { return answers_; }
  // False once a reply was not one whole value of the protocol.
  [[nodiscard]] bool replies_are_whole() const { return replies_are_whole_; }

  // Every key that the generator uses.
  static const std::vector<std::string>& keys() {
    static const std::vector<std::string> kAll = [] {
      std::vector<std::string> all(std::begin(CommandGenerator::kKeys),
                                   std::end(CommandGenerator::kKeys));
      for (std::uint64_t i = 0; i < kCrowd; ++i) all.push_back(CommandGenerator::crowd_key(i));
      return all;
    }();
    return kAll;
  }

 private:
  static constexpr std::uint64_t kCrowd = 2000;

  // Some hundred keys come at once, most of them for a moment, or go.
  void crowd() {
    const std::uint64_t first = choices_.below(kCrowd);
    const std::uint64_t count = 1 + choices_.below(400);
    const bool come = choices_.below(3) > 0;
    const char* const life = choices_.below(2) == 0 ? "1" : "1000";
    Mirror::Words words;
    words.emplace_back(come ? "MSETEX" : "DEL");
    if (come) words.push_back(std::to_string(count));
    for (std::uint64_t i = 0; i < count; ++i) {
      words.push_back(CommandGenerator::crowd_key((first + i) % kCrowd));
      if (come) words.emplace_back("text");
    }
    if (come) words.insert(words.end(), {"PX", life});
    run(words);
    last_ = words.front() + " of " + std::to_string(count) + " keys from " +
            CommandGenerator::crowd_key(first);
  }
  void run(const Mirror::Words& words) {
    last_ = Mirror::joined(words);
    const std::string reply = mirror_.run(words);
    ReplyParser parser;
    parser.feed(reply);
    const auto value = parser.next();
    if (!value || !value->has_value() || parser.buffered() != 0) {
      replies_are_whole_ = false;
      return;
    }
    if (!(*value)->is_error() && reply != "+QUEUED\r\n") ++answers_[name_of(words)];
  }
  std::string name_of(const Mirror::Words& words) {
    const std::vector<std::string_view> argv(words.begin(), words.end());
    const Command* command = mirror_.first().table().resolve(argv);
    return command == nullptr ? "" : command->full_name;
  }
  void transaction() {
    run({"MULTI"});
    std::string lines = "MULTI";
    for (std::uint64_t n = 1 + choices_.below(4); n > 0; --n) {
      run(generator_.next());
      lines += "; " + last_;
    }
    run({"EXEC"});
    last_ = lines + "; EXEC";
  }
  void move_value() {
    ReplyParser parser;
    parser.feed(mirror_.run({"DUMP", generator_.any_key()}));
    const auto payload = parser.next();
    if (!payload || !payload->has_value() || (*payload)->kind != RespKind::kBulk) return;
    Mirror::Words words{"RESTORE", generator_.any_key(), "0", std::string((*payload)->text())};
    if (choices_.below(2) == 0) words.emplace_back("REPLACE");
    run(words);
  }
  // Rows need a set of fields that has a name and as many fields as the row has values.
  void import_row() {
    run({"HIMPORT", "PREPARE", "columns", "a", "b"});
    run({"HIMPORT", "SET", generator_.any_key(), "columns", "1", "text"});
  }
  void pass_time() {
    constexpr std::int64_t kSteps[] = {1, 100, 1500, 60'000};
    mirror_.advance(milliseconds(kSteps[choices_.below(std::size(kSteps))]));
    if (choices_.below(2) == 0) mirror_.tick();
    last_ = "(time passed)";
  }

  Mirror& mirror_;
  Choices& choices_;
  CommandGenerator generator_;
  std::string last_;
  std::map<std::string, int> answers_;
  bool replies_are_whole_ = true;
};

}  // namespace hearth::test
