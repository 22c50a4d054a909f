// PFDEBUG and PFSELFTEST.
#include <cmath>

#include "src/commands/hyperloglog/family.h"
#include "src/commands/hyperloglog/hll_key.h"

namespace hearth::commands {
namespace {

using ds::Hll;

// Makes the value dense; false if it was.
bool become_dense(CommandContext& ctx, const KeyRef& key, Found at, hll::Encoding encoding) {
  if (encoding == hll::Encoding::kDense) return false;
  char scratch[kInt64TextMax];
  std::string value(at->string_value(scratch));
  hll::make_dense(value);
  put_hll(ctx, key, at, value);
  ctx.effects().replicate_verbatim();
  return true;
}

Outcome pfdebug(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  const KeyRef key = ctx.key(2);
  Found at = ctx.keys().write(key);
  if (!at) return refuse("ERR The specified key does not exist");
  HEARTH_TRY(const hll::Encoding encoding, checked_hll(*at));
  if (args.size() != 3) {
    return refuse("ERR Wrong number of arguments for the '" + std::string(args[1]) +
                  "' subcommand");
  }
  char scratch[kInt64TextMax];
  if (args.is(1, "GETREG")) {
    become_dense(ctx, key, at, encoding);
    at = ctx.keys().peek(key);
    Hll all;
    hll::merge(at->string_value(scratch), all);
    ctx.reply().array(Hll::kRegisters);
    for (const std::uint8_t value : all.registers()) ctx.reply().integer(value);
  } else if (args.is(1, "DECODE")) {
    if (encoding != hll::Encoding::kSparse) return refuse("ERR HLL encoding is not sparse");
    ctx.reply().bulk(hll::runs_text(at->string_value(scratch)));
  } else if (args.is(1, "ENCODING")) {
    ctx.reply().simple(encoding == hll::Encoding::kDense ? "dense" : "sparse");
  } else if (args.is(1, "TODENSE")) {
    ctx.reply().integer(become_dense(ctx, key, at, encoding) ? 1 : 0);
  } else {
    return refuse("ERR Unknown PFDEBUG subcommand '" + std::string(args[1]) + "'");
  }
  return {};
}

// Registers of a dense value against an array.
Outcome test_registers(Rng& rng) {
  constexpr int kRounds = 200;
  std::string value = hll::make_empty();
  hll::make_dense(value);
  Hll model;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < 200; ++i) {
      const auto index = static_cast<std::uint32_t>(rng.below(Hll::kRegisters));
      const auto run = static_cast<std::uint8_t>(1 + rng.below(Hll::kLargest));
      hll::raise_dense(value.data(), index, run);
      model.raise(index, run);
    }
  }
  for (std::uint32_t i = 0; i < Hll::kRegisters; ++i) {
    if (hll::get_register(value, i) == model.registers()[i]) continue;
    return refuse("ERR TESTFAILED Register " + std::to_string(i) + " should be " +
                  std::to_string(model.registers()[i]) + " but is " +
                  std::to_string(hll::get_register(value, i)));
  }
  return {};
}

// Both encodings count the same, and close to the truth.
Outcome test_counts(Rng& rng, std::uint64_t sparse_bytes_max) {
  constexpr std::uint64_t kElements = 300'000;
  // Six standard errors: a good counter is further off once in 500 million times.
  constexpr double kErrorMost = 6 * 1.04 / 128;
  std::string dense = hll::make_empty();
  hll::make_dense(dense);
  std::string sparse = hll::make_empty();
  const std::uint64_t seed = rng.next();
  std::uint64_t checkpoint = 1;
  for (std::uint64_t n = 1; n <= kElements; ++n) {
    const std::uint64_t number = seed ^ n;
    const Hll::Place place = Hll::place_of({reinterpret_cast<const char*>(&number), sizeof number});
    hll::raise(dense, place.index, place.run, sparse_bytes_max);
    hll::raise(sparse, place.index, place.run, sparse_bytes_max);
    if (n != checkpoint) continue;
    checkpoint *= 10;
    const std::uint64_t count = hll::count(dense);
    if (count != hll::count(sparse)) return refuse("ERR TESTFAILED dense/sparse disagree");
    const double error = std::abs(static_cast<double>(count) - static_cast<double>(n));
    if (error > std::ceil(kErrorMost * static_cast<double>(n)) + 1)
      return refuse("ERR TESTFAILED Too big error. card:" + std::to_string(n) +
                    " count:" + std::to_string(count));
  }
  return {};
}

Outcome pfselftest(CommandContext& ctx) {
  // Draws of its own: a test must not change what the data commands draw.
  Rng rng(static_cast<std::uint64_t>(ctx.now().ms));
  HEARTH_TRY_VOID(test_registers(rng));
  HEARTH_TRY_VOID(test_counts(rng, ctx.settings().hll_sparse_max_bytes));
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kDebugArgs[] = {args::string("subcommand"), args::key()};
constexpr KeySpec kDebugKey[] = {KeySpec::one(2, access::kRW | access::kAccess)};

}  // namespace

constexpr CommandSpec kPfDebug{
    .name = "PFDEBUG",
    .summary = "Looks into a HyperLogLog: its registers, runs and encoding.",
    .complexity = "O(N) with the number of registers.",
    .since = "2.8.9",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kAdmin,
    .acl = Acl::kHyperLogLog,
    .group = Group::kHyperLogLog,
    .keys = kDebugKey,
    .args = kDebugArgs,
    .reply = Shape::kArray | Shape::kBulk | Shape::kSimple | Shape::kInteger,
    .handler = pfdebug,
};
constexpr CommandSpec kPfSelfTest{
    .name = "PFSELFTEST",
    .summary = "Tests the HyperLogLog implementation.",
    .complexity = "O(1), but slow.",
    .since = "2.8.9",
    .arity = Arity::exactly(1),
    .flags = Flag::kAdmin,
    .acl = Acl::kHyperLogLog,
    .group = Group::kHyperLogLog,
    .reply = Shape::kOk,
    .handler = pfselftest,
};

}  // namespace hearth::commands
