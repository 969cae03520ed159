<?php

declare(strict_types=1);

namespace Tide;

/** What is sent: a status, a type and a body. */
final class Response
{
    private function __construct(
        private readonly int $status,
        private readonly string $type,
        private readonly string $body,
    ) {
    }

    public static function html(string $message, string $greeting): self
    {
        [$message, $greeting] = array_map(htmlspecialchars(...), [$message, $greeting]);
        return new self(200, 'text/html; charset=utf-8', <<<HTML
            <!doctype html>
            <html lang="en">
              <head>
                <meta charset="utf-8">
                <title>php-plain</title>
                <link rel="stylesheet" href="/assets/style.css">
              </head>
              <body>
                <h1>$message</h1>
                <p id="greeting">$greeting</p>
                <p><a href="/api/tides">Tides</a></p>
              </body>
            </html>

            HTML);
    }

    public static function json(array $value, int $status = 200): self
    {
        return new self($status, 'application/json', json_encode($value, JSON_THROW_ON_ERROR) . "\n");
    }

    public function send(): void
    {
        http_response_code($this->status);
        header("Content-Type: $this->type");
        echo $this->body;
    }
}
