;;; stepfare-lsp-mode.el --- .stepfare.toml with lsp-mode -*- lexical-binding: t; -*-

;; Copyright (C) 2026 stepfare authors
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; lsp-mode checks, completes and explains .stepfare.toml, lenses included.  The spend comes over `stepfare-connection'.

;;; Code:

(require 'lsp-mode)
(require 'stepfare-connection)

(defun stepfare-lsp-mode-setup ()
  "Let lsp-mode start the server where .stepfare.toml is visited."
  (add-to-list 'lsp-language-id-configuration '(stepfare-dotfile-mode . "toml"))
  (lsp-register-client
   (make-lsp-client :new-connection (lsp-stdio-connection (lambda () stepfare-server-command))
                    :major-modes '(stepfare-dotfile-mode)
                    :server-id 'stepfare
                    :add-on? t
                    :priority -1
                    :notification-handlers (lsp-ht ("stepfare/spend" #'ignore))))
  (add-hook 'stepfare-dotfile-mode-hook #'lsp-deferred))

(provide 'stepfare-lsp-mode)
;;; stepfare-lsp-mode.el ends here
