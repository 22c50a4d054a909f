#include "src/store/entry.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "src/base/format_number.h"
#include "src/store/hash.h"
#include "src/store/memory.h"

using hearth::Entry;
using hearth::Hash;
using hearth::kNoDeadline;
using hearth::StringEncoding;
using hearth::Type;
using hearth::UnixMillis;

namespace {

struct Free {
  void operator()(Entry* e) const { Entry::free(e); }
};
using Owned = std::unique_ptr<Entry, Free>;

constexpr std::uint32_t kAccess = 0xabcdef;

std::string value_of(const Entry& e) {
  char scratch[hearth::kInt64TextMax];
  return std::string(e.string_value(scratch));
}

struct Shape {
  std::string key, value;
  bool integer;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const std::size_t key : {0UL, 1UL, 16UL, 255UL, 256UL, 1000UL}) {
    const std::string name(key, 'k');
    for (const std::size_t value : {0UL, 1UL, 44UL, 45UL, 1024UL, 1025UL, 70'000UL}) {
      all.push_back({name, std::string(value, 'v'), false});
    }
    for (const char* number : {"0", "-1", "9223372036854775807", "-9223372036854775808"})
      all.push_back({name, number, true});
  }
  return all;
}

Owned make(const Shape& s, std::int64_t deadline) {
  if (s.integer) return Owned(Entry::make_int(s.key, std::stoll(s.value), deadline, kAccess));
  return Owned(Entry::make_string(s.key, s.value, deadline, kAccess));
}

void check(const Entry& e, std::string_view key, const std::string& value, std::int64_t deadline) {
  CHECK(e.type() == Type::kString);
  CHECK(e.key() == key);
  CHECK(value_of(e) == value);
  CHECK(e.string_length() == value.size());
  CHECK(e.deadline() == deadline);
  CHECK(e.has_deadline() == (deadline != kNoDeadline));
  CHECK(e.access() == kAccess);
}

}  // namespace

TEST_CASE("an entry gives back its key, value, deadline and access in every shape") {
  for (const Shape& s : shapes()) {
    for (const std::int64_t deadline :
         {kNoDeadline, std::int64_t{0}, std::int64_t{123456789012345}}) {
      check(*make(s, deadline), s.key, s.value, deadline);
    }
  }
}

TEST_CASE("deadlines come, change and go without touching the rest") {
  for (const Shape& s : shapes()) {
    Owned e = make(s, kNoDeadline);
    e.reset(Entry::with_deadline(e.release(), 1000));
    check(*e, s.key, s.value, 1000);
    e.reset(Entry::with_deadline(e.release(), 2000));
    check(*e, s.key, s.value, 2000);
    e.reset(Entry::with_deadline(e.release(), kNoDeadline));
    check(*e, s.key, s.value, kNoDeadline);
  }
}

TEST_CASE("renamed and copied entries keep value and deadline; a copy is independent") {
  for (const Shape& s : shapes()) {
    for (const std::string& key : {std::string("other"), std::string(300, 'w')}) {
      Owned e = make(s, 500);
      Owned copy(e->copy_as(key));
      check(*copy, key, s.value, 500);
      check(*e, s.key, s.value, 500);
      e.reset(Entry::with_key(e.release(), key));
      check(*e, key, s.value, 500);
    }
  }
}

TEST_CASE("the encoding of a string follows its length and form") {
  CHECK(make({"k", "1", true}, kNoDeadline)->string_encoding() == StringEncoding::kInt);
  CHECK(make({"k", std::string(44, 'v'), false}, kNoDeadline)->string_encoding() ==
        StringEncoding::kEmbstr);
  CHECK(make({"k", std::string(45, 'v'), false}, kNoDeadline)->string_encoding() ==
        StringEncoding::kRaw);
  CHECK(make({"k", std::string(1024, 'v'), false}, kNoDeadline)->is_inline());
  CHECK_FALSE(make({"k", std::string(1025, 'v'), false}, kNoDeadline)->is_inline());
}

TEST_CASE("an entry is expired from its deadline on") {
  const Owned e = make({"k", "v", false}, 1000);
  CHECK_FALSE(e->expired(UnixMillis{999}));
  CHECK(e->expired(UnixMillis{1000}));
  CHECK_FALSE(make({"k", "v", false}, kNoDeadline)->expired(UnixMillis{INT64_MAX}));
}

TEST_CASE("a copied hash is a hash of its own") {
  Hash hash;
  const hearth::HashLimits limits;
  hash.set("f", "v", Hash::kNone, UnixMillis{1}, limits);
  const Owned e(Entry::make("h", std::move(hash), 700, kAccess));
  const Owned copy(e->copy_as("h2"));
  e->hash()->set("f", "changed", Hash::kNone, UnixMillis{1}, limits);
  Hash::Scratch scratch;
  CHECK(copy->type() == Type::kHash);
  CHECK(copy->key() == "h2");
  CHECK(copy->deadline() == 700);
  CHECK(copy->hash()->get("f", UnixMillis{1}, scratch) == "v");
}

TEST_CASE("the canonical integers, and nothing else, are stored as such") {
  std::int64_t n = 0;
  for (const char* yes : {"0", "1", "-1", "9223372036854775807", "-9223372036854775808"}) {
    CHECK_MESSAGE(hearth::as_stored_int(yes, n), yes);
    CHECK(std::to_string(n) == yes);
  }
  for (const char* no : {"", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "1e3", "9223372036854775808",
                         "-9223372036854775809", "123456789012345678901"}) {
    CHECK_MESSAGE(!hearth::as_stored_int(no, n), no);
  }
}

TEST_CASE("small entries meet the memory budget: header, key and value in one allocation") {
  const std::string key(16, 'k');
  CHECK(make({key, std::string(8, 'v'), false}, kNoDeadline)->memory_bytes() <= 32 + 16);
  CHECK(make({key, std::string(64, 'v'), false}, kNoDeadline)->memory_bytes() <= 88 + 16);
  CHECK(make({key, "12345", true}, kNoDeadline)->memory_bytes() <= 32 + 16);
  const auto plain = make({key, std::string(64, 'v'), false}, kNoDeadline)->memory_bytes();
  CHECK(make({key, std::string(64, 'v'), false}, 1)->memory_bytes() <= plain + 16);
}

TEST_CASE("types have the names that TYPE reports") {
  const char* const names[] = {"string", "list", "set", "zset", "hash", "stream"};
  for (int i = 0; i < hearth::kTypeCount; ++i)
    CHECK(hearth::type_name(static_cast<Type>(i)) == names[i]);
}
