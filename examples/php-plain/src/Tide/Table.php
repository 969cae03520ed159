<?php

declare(strict_types=1);

namespace Tide;

use DateTimeImmutable;

/** High tides, twice a lunar day of 24 h 50 min; the heights are made up. */
final class Table
{
    private const INTERVAL_MINUTES = 745;

    public function __construct(private readonly DateTimeImmutable $from)
    {
    }

    /** @return list<array{at: string, metres: float}> */
    public function next(int $days): array
    {
        $tides = [];
        $end = $this->from->modify("+$days days");
        for ($at = $this->from; $at < $end; $at = $at->modify('+' . self::INTERVAL_MINUTES . ' minutes')) {
            $tides[] = ['at' => $at->format(DATE_ATOM), 'metres' => round(3.1 + sin($at->getTimestamp() / 86400), 2)];
        }
        return $tides;
    }
}
