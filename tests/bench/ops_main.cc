// Runs one operation many times through parser, engine and reply buffer, without sockets.
//
//   hearth_bench_ops OPERATION COUNT [PIPELINE]
//   hearth_bench_ops --growth N
//
// --growth runs each command with N and with 4N of what a client can send or hold (growth.h).
//
// The whole way of a request but for the kernel: bytes are parsed into batches, the batch runs, the
// output is gathered and consumed. Keys are drawn from 10,000 by a fixed seed, so that two runs
// execute the same instructions.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "tests/bench/driver.h"
#include "tests/bench/growth.h"

namespace {

using namespace hearth;
using bench::Driver;
using bench::request;

constexpr std::uint64_t kKeys = 10'000;

std::string key_text(std::uint64_t n) {
  char text[24];
  std::snprintf(text, sizeof text, "key:%012llu", static_cast<unsigned long long>(n));
  return text;
}

using Maker = std::function<std::vector<std::string>(std::uint64_t key)>;

const std::map<std::string, Maker>& operations() {
  static const std::map<std::string, Maker> all = {
      {"get",
       [](std::uint64_t k) {
         return std::vector<std::string>{"GET", key_text(k)};
       }},
      {"set",
       [](std::uint64_t k) {
         return std::vector<std::string>{"SET", key_text(k), std::string(64, 'v')};
       }},
      {"set_ex",
       [](std::uint64_t k) {
         return std::vector<std::string>{"SET", key_text(k), std::string(64, 'v'), "EX", "100"};
       }},
      {"incr",
       [](std::uint64_t k) {
         return std::vector<std::string>{"INCR", "n" + key_text(k)};
       }},
      {"mget",
       [](std::uint64_t k) {
         std::vector<std::string> words{"MGET"};
         for (std::uint64_t i = 0; i < 10; ++i) words.push_back(key_text((k + i * 37) % kKeys));
         return words;
       }},
      {"hset",
       [](std::uint64_t k) {
         return std::vector<std::string>{"HSET", "h" + key_text(k % 100),
                                         "f" + std::to_string(k % 20), "value"};
       }},
      {"hget",
       [](std::uint64_t k) {
         return std::vector<std::string>{"HGET", "h" + key_text(k % 100),
                                         "f" + std::to_string(k % 20)};
       }},
      {"lpush",
       [](std::uint64_t k) {
         return std::vector<std::string>{"LPUSH", "list", "element:" + std::to_string(k)};
       }},
      {"rpush_small",
       [](std::uint64_t k) {
         return std::vector<std::string>{"RPUSH", "l" + key_text(k), "item:" + std::to_string(k)};
       }},
      {"sadd",
       [](std::uint64_t k) {
         return std::vector<std::string>{"SADD", "s" + key_text(k % 100), "m" + std::to_string(k)};
       }},
      {"zadd",
       [](std::uint64_t k) {
         return std::vector<std::string>{"ZADD", "z" + key_text(k % 100), std::to_string(k % 7),
                                         "m" + std::to_string(k)};
       }},
      {"ping", [](std::uint64_t) { return std::vector<std::string>{"PING"}; }},
  };
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--growth")
    return bench::run_growth(std::strtoull(argv[2], nullptr, 10));
  if (argc < 3 || operations().count(argv[1]) == 0) {
    std::fprintf(stderr, "usage: hearth_bench_ops OPERATION COUNT [PIPELINE]\noperations:");
    for (const auto& [name, maker] : operations()) std::fprintf(stderr, " %s", name.c_str());
    std::fprintf(stderr, "\n");
    return 2;
  }
  const Maker& make = operations().at(argv[1]);
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t pipeline = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 16;
  Driver driver;
  for (std::uint64_t k = 0; k < kKeys; ++k)
    driver.run(request({"SET", key_text(k), std::string(64, 'x')}));
  for (std::uint64_t k = 0; k < 2000; ++k)
    driver.run(request({"HSET", "h" + key_text(k % 100), "f" + std::to_string(k % 20), "value"}));

  // The requests are made before, in chunks that are used again: making them is not what is
  // counted.
  Rng rng(7);
  std::vector<std::string> chunks;
  for (int c = 0; c < 64; ++c) {
    std::string bytes;
    for (std::uint64_t i = 0; i < pipeline; ++i) bytes += request(make(rng.below(kKeys)));
    chunks.push_back(std::move(bytes));
  }
  for (std::uint64_t done = 0, c = 0; done < count; done += pipeline, ++c)
    driver.run(chunks[c % chunks.size()]);
  return 0;
}
