#include "cluster/link/complaints.h"

#include <doctest/doctest.h>

using namespace hearth;
using cluster::Complaints;

TEST_CASE("a peer is complained about once a period, and not too many peers are") {
  Complaints complaints;
  MonoTime now = MonoTime{} + std::chrono::hours{1};
  CHECK(complaints.is_due("10.0.0.1", now));
  CHECK_FALSE(complaints.is_due("10.0.0.1", now));
  CHECK(complaints.is_due("10.0.0.2", now + std::chrono::seconds{59}));
  CHECK_FALSE(complaints.is_due("10.0.0.1", now + std::chrono::seconds{59}));

  now = now + Complaints::kPeriod;
  CHECK(complaints.is_due("10.0.0.1", now));
  std::size_t named = 1;
  for (int i = 0; i < 100'000; ++i) named += complaints.is_due("peer " + std::to_string(i), now);
  CHECK(named == Complaints::kPeersMax);
  CHECK(complaints.held() == Complaints::kPeersMax);
  CHECK(complaints.is_due("peer 99999", now + Complaints::kPeriod));
}
