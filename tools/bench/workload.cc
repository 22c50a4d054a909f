#include "tools/bench/workload.h"

#include <fmt/core.h>

#include "tools/client/command_text.h"

namespace hearth::bench {
namespace {

constexpr std::string_view kKeyForm = "key:000000000000";
constexpr std::size_t kDigits = 12;
// A leading 1 keeps the form of an integer whatever digits follow.
constexpr std::string_view kNumberForm = "1000000000000";
constexpr std::uint64_t kVersionsOfSeed = 1'000'000'000;

void put_digits(char* out, std::uint64_t number) {
  for (std::size_t i = kDigits; i > 0; --i, number /= 10)
    out[i - 1] = static_cast<char>('0' + number % 10);
}

std::string command_form(const WorkloadOptions& options) {
  using client::append_command;
  std::string out;
  const std::string value(options.value_bytes, 'x');
  switch (options.operation) {
    case Operation::kPing: append_command(out, {"PING"}); break;
    case Operation::kGet: append_command(out, {"GET", kKeyForm}); break;
    case Operation::kGetSet:
    case Operation::kSet: append_command(out, {"SET", kKeyForm, value}); break;
    case Operation::kSetTtl: append_command(out, {"SET", kKeyForm, value, "EX", "86400"}); break;
    case Operation::kSetInt: append_command(out, {"SET", kKeyForm, kNumberForm}); break;
    case Operation::kSetVer:
      append_command(out, {"SET", kKeyForm, value, "VER", kNumberForm});
      break;
    case Operation::kHash: {
      std::vector<std::string> texts;
      for (int i = 0; i < 10; ++i) {
        texts.push_back(fmt::format("field:{}", i));
        texts.push_back(fmt::format("value-{:06}", i));
      }
      std::vector<std::string_view> args{"HSET", kKeyForm};
      args.insert(args.end(), texts.begin(), texts.end());
      append_command(out, std::span<const std::string_view>(args));
      break;
    }
  }
  return out;
}

}  // namespace

Result<Operation> parse_operation(std::string_view name) {
  if (name == "ping") return Operation::kPing;
  if (name == "get") return Operation::kGet;
  if (name == "set") return Operation::kSet;
  if (name == "get-set") return Operation::kGetSet;
  if (name == "set-ttl") return Operation::kSetTtl;
  if (name == "set-int") return Operation::kSetInt;
  if (name == "set-ver") return Operation::kSetVer;
  if (name == "hset10") return Operation::kHash;
  return fail(
      ErrorCode::kInvalid,
      fmt::format("'{}' is none of ping, get, set, get-set, set-ttl, set-int, set-ver, hset10",
                  name));
}

Workload::Workload(const WorkloadOptions& options)
    : options_(options), rng_(options.seed), command_(command_form(options)) {
  if (options_.operation == Operation::kPing) return;
  if (options_.operation == Operation::kGetSet) {
    // Both have the key at the same place.
    WorkloadOptions get = options_;
    get.operation = Operation::kGet;
    get_ = command_form(get);
  }
  key_at_ = command_.find(kKeyForm) + kKeyForm.size() - kDigits;
  const bool has_version = options_.operation == Operation::kSetVer;
  if (options_.operation == Operation::kSetInt || has_version)
    value_at_ = command_.find(kNumberForm) + 1;
  if (has_version) version_ = options_.seed % 1'000 * kVersionsOfSeed + 1;
}

void Workload::append_next(std::string& out) {
  if (options_.operation == Operation::kPing) {
    out += command_;
    return;
  }
  std::uint64_t key = next_key_;
  if (options_.order == KeyOrder::kSequential) {
    next_key_ = next_key_ + 1 == options_.keys ? 0 : next_key_ + 1;
  } else {
    key = rng_.below(options_.keys);
  }
  const std::size_t begin = out.size();
  out += !get_.empty() && rng_.chance(0.5) ? get_ : command_;
  put_digits(out.data() + begin + key_at_, key);
  if (value_at_ != 0) put_digits(out.data() + begin + value_at_, version_ != 0 ? version_++ : key);
}

}  // namespace hearth::bench
