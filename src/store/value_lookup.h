// ValueLookup: a look-up in the value of a key that is still to come. Each of its steps fetches
// into the cache what the step before has found, so that the misses of many look-ups overlap when
// their steps are taken side by side; nothing is changed.
//
//   what the value in the entry points to  ->  the bucket of the member  ->  its node
//
// The entry must stay as it is until the last step.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/store/value_type.h"

namespace hearth {

class ValueLookup {
 public:
  ValueLookup() = default;
  // `member` is a field or member that the value is asked for, or empty. Types without an object
  // (ValueType::object) have no steps. Takes the first step.
  ValueLookup(const Entry& entry, std::string_view member);
  void fetch_bucket();
  void fetch_node() const;

 private:
  const ValueType* type_ = nullptr;
  const void* object_ = nullptr;  // nullptr: nothing left to do
  std::string_view member_;
  std::uint64_t hash_ = 0;
};

}  // namespace hearth
