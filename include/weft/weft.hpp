// All of weft but <weft/extra.hpp>.
#pragma once

#include <weft/broadcast.hpp>
#include <weft/chan.hpp>
#include <weft/clock.hpp>
#include <weft/exceptions.hpp>
#include <weft/gc.hpp>
#include <weft/go.hpp>
#include <weft/join_set.hpp>
#include <weft/net.hpp>
#include <weft/report.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>
#include <weft/select.hpp>
#include <weft/signal.hpp>
#include <weft/sync.hpp>
#include <weft/testing.hpp>
#include <weft/time.hpp>
#include <weft/version.hpp>
#include <weft/watch.hpp>
